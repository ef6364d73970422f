package portone

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// renewBefore is when a token is asked for again: in its last minute, where
	// PortOne extends it, and with time to spare for clocks that are a little off.
	renewBefore = 30 * time.Second
	// askAgain is the least time between two askings, whatever PortOne answers.
	askAgain = 5 * time.Second
)

// tokens keeps V1's access token: fetched when it is needed, by one call for all
// who wait, and used until shortly before it ends.
type tokens struct {
	key, secret string
	fetch       func(ctx context.Context, body []byte) (json.RawMessage, error)
	now         func() time.Time

	asking chan struct{} // held by who gets the token, and may have to ask PortOne for it

	mu     sync.Mutex
	value  string    // empty while there is none
	ends   time.Time // when it is no longer good
	askAt  time.Time // when to ask for it again
	failed error     // what came of the last asking
}

// sign implements signer.
func (t *tokens) sign(ctx context.Context) (string, error) {
	value, err := t.get(ctx)
	return "Bearer " + value, err
}

// current returns the token, or why there is none; neither if it is time to ask PortOne.
func (t *tokens) current() (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	switch {
	case !now.Before(t.askAt):
		return "", nil
	case t.failed != nil && !now.Before(t.ends):
		return "", t.failed
	}
	return t.value, nil
}

// get returns the token, or asks PortOne if it is time to. Callers who wait meanwhile get the same
// token, or the same error.
func (t *tokens) get(ctx context.Context) (string, error) {
	select {
	case t.asking <- struct{}{}:
		defer func() { <-t.asking }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if value, err := t.current(); value != "" || err != nil {
		return value, err
	}
	value, life, err := t.ask(ctx)
	if err != nil && ctx.Err() != nil {
		return "", err // only this caller has lost patience
	}
	t.learn(value, life, err)
	return t.current()
}

// learn keeps a new token, or the old one for as long as it is good.
func (t *tokens) learn(value string, life time.Duration, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	t.failed, t.askAt = err, now.Add(askAgain)
	if err == nil {
		t.value, t.ends, t.askAt = value, now.Add(life), now.Add(max(life-renewBefore, askAgain))
	}
}

// check asks PortOne for a token, whether or not one is kept. If that fails, the kept token stays,
// and no caller waits.
func (t *tokens) check(ctx context.Context) error {
	value, life, err := t.ask(ctx)
	if err == nil {
		t.learn(value, life, nil)
	}
	return err
}

// ask returns a token, and how long it lives.
func (t *tokens) ask(ctx context.Context) (string, time.Duration, error) {
	start := t.now()
	response, err := t.fetch(ctx, marshal(map[string]string{"imp_key": t.key, "imp_secret": t.secret}))
	if err != nil {
		return "", 0, err
	}
	var answer struct {
		AccessToken string `json:"access_token"`
		ExpiredAt   int64  `json:"expired_at"`
		Now         int64  `json:"now"`
	}
	if err := json.Unmarshal(response, &answer); err != nil {
		return "", 0, fmt.Errorf("the token cannot be read: %w", err)
	}
	if credential("token", answer.AccessToken) != nil || answer.Now <= 0 || answer.ExpiredAt <= answer.Now {
		return "", 0, errors.New("PortOne's answer has no token that is still good")
	}
	// PortOne's own clock says how long it lives, whatever ours says.
	life := time.Duration(answer.ExpiredAt-answer.Now) * time.Second
	return answer.AccessToken, life - t.now().Sub(start), nil
}

// refused implements signer: it forgets the token, unless there is another already.
func (t *tokens) refused(authorization string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if "Bearer "+t.value == authorization {
		t.value, t.ends, t.askAt = "", time.Time{}, time.Time{}
	}
	return true
}

// hide implements signer.
func (t *tokens) hide(text string) string {
	t.mu.Lock()
	token := t.value
	t.mu.Unlock()
	return hideAll(text, t.key, t.secret, token)
}

// newTokens returns no token yet; a fetches them.
func newTokens(a *api, opt V1Options, now func() time.Time) *tokens {
	return &tokens{
		key: opt.Key, secret: opt.Secret, now: now,
		fetch: func(ctx context.Context, body []byte) (json.RawMessage, error) {
			return a.read(ctx, call{
				name: "token", method: http.MethodPost, path: "/users/getToken", body: body,
				unsigned: true,
			})
		},
		asking: make(chan struct{}, 1),
	}
}

// hideAll takes the given secrets out of a text.
func hideAll(text string, secrets ...string) string {
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "…")
		}
	}
	return text
}
