package portone_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestATokenIsFetchedOnceAndRenewedInItsLastMinute(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{0, 3 * time.Hour, -3 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			fake := newFakeV1(v1Payment("imp_1", "o", "paid"))
			fake.skew, fake.latency = skew, 100*time.Millisecond
			c := atDirect(t, fake, nil)
			look := func(tokens int) {
				t.Helper()
				if got := one(t, c, 1, "o", "imp_1"); got.Err != nil {
					t.Errorf("skew %v: %v", skew, got.Err)
				}
				if got := fake.called("POST /users/getToken"); got != tokens {
					t.Errorf("skew %v: the token was asked for %d times, want %d", skew, got, tokens)
				}
			}

			var all sync.WaitGroup
			for range 20 {
				all.Go(func() { one(t, c, 1, "o", "imp_1") })
			}
			all.Wait()
			look(1)
			time.Sleep(29 * time.Minute)
			look(1)
			time.Sleep(40 * time.Second)
			look(2) // extended by five minutes
			time.Sleep(4*time.Minute + 30*time.Second)
			look(2)
			time.Sleep(time.Hour)
			look(3) // a new one
			if refused := fake.token; refused != 2 {
				t.Errorf("skew %v: %d tokens, want 2", skew, refused)
			}
		})
	}
}

func TestATokenThatIsRefusedIsFetchedAnewOnce(t *testing.T) {
	t.Parallel()
	fake := newFakeV1(v1Payment("imp_1", "o", "paid"))
	c := serve(t, fake, nil)
	one(t, c, 1, "o", "imp_1")
	fake.mu.Lock()
	fake.ends = time.Time{} // PortOne has forgotten the token
	fake.mu.Unlock()
	if got := one(t, c, 1, "o", "imp_1"); got.Err != nil {
		t.Error(got.Err)
	}
	if tokens, calls := fake.called("POST /users/getToken"), fake.called("GET /payments/"); tokens != 2 || calls != 3 {
		t.Errorf("%d tokens and %d calls, want 2 and 3", tokens, calls)
	}

	fake.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/users/getToken" {
			return false
		}
		answer(w, http.StatusUnauthorized, object{"code": -1, "message": "no"})
		return true
	}
	if got := one(t, c, 1, "o", "imp_1"); got.Err == nil || !strings.Contains(got.Err.Error(), "check the key") {
		t.Errorf("got %+v, want an error that says what to check", got)
	}
	if calls := fake.called("GET /payments/"); calls != 5 {
		t.Errorf("%d calls, want two more", calls-3)
	}
}

func TestATokenThatCannotBeHadIsNotAskedForByEveryCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFakeV1()
		c := atDirect(t, fake, nil, func(o *config) { o.V1.Secret = "WRONG" })
		for _, got := range c.Lookup(t.Context(), many(1, 3000, time.Time{})) {
			if got.Err == nil || strings.Contains(got.Err.Error(), "WRONG") ||
				!strings.Contains(got.Err.Error(), "check the key and the secret") {
				t.Fatalf("got %+v, want an error without the secret that says what to check", got)
			}
		}
		if calls := fake.called(""); calls != 1 {
			t.Errorf("%d calls, want 1", calls)
		}
	})
}

func TestATokenThatCannotBeHadIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFakeV1()
		fake.fault = func(w http.ResponseWriter, _ *http.Request) bool {
			http.Error(w, "down", http.StatusBadGateway)
			return true
		}
		c := atDirect(t, fake, nil)
		one(t, c, 1, "o", "imp_1")
		calls, start := len(fake.calls), time.Now()
		if got := one(t, c, 1, "o", "imp_1"); got.Err == nil || len(fake.calls) != calls || time.Since(start) != 0 {
			t.Errorf("got %+v after %v and %d more calls, want the failure before at once", got, time.Since(start),
				len(fake.calls)-calls)
		}
	})
}

// leaving is a transport whose caller is gone once there is an answer.
type leaving struct {
	http.RoundTripper
	leave context.CancelFunc
}

func (l leaving) RoundTrip(r *http.Request) (*http.Response, error) {
	defer l.leave()
	return l.RoundTripper.RoundTrip(r.WithContext(context.WithoutCancel(r.Context())))
}

func TestATokenIsKeptWhereItsCallerIsGone(t *testing.T) {
	t.Parallel()
	fake := newFakeV1(v1Payment("imp_1", "o", "paid"))
	ctx, leave := context.WithCancel(t.Context())
	c := atDirect(t, fake, nil, func(o *config) { o.Transport = leaving{o.Transport, leave} })
	if got := c.Lookup(ctx, many(1, 1, time.Time{}))[0]; got.Err == nil {
		t.Errorf("got %+v, want an error: nobody waits for it", got)
	}
	if got := one(t, c, 1, "o", "imp_1"); got.Err != nil || fake.called("POST /users/getToken") != 1 {
		t.Errorf("got %+v with %d tokens, want 1", got, fake.called("POST /users/getToken"))
	}
}

func TestACallerWhoLeavesFailsNobodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFakeV1(v1Payment("imp_1", "o", "paid"))
		fake.latency = time.Second
		c := atDirect(t, fake, nil)
		ctx, leave := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer leave()
		if got := c.Lookup(ctx, many(1, 1, time.Time{}))[0]; got.Err == nil {
			t.Errorf("got %+v, want an error: nobody waits for it", got)
		}
		if got := one(t, c, 1, "o", "imp_1"); got.Err != nil {
			t.Errorf("the next caller: %v", got.Err)
		}
	})
}

func TestATokenIsNotAskedForAgainWithinFiveSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFakeV1(v1Payment("imp_1", "o", "paid"))
		fake.ends = time.Now().Add(time.Hour)
		fake.fault = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/users/getToken" {
				return false
			}
			answer(w, http.StatusOK, object{
				"code":     0,
				"response": object{"access_token": fake.current(), "expired_at": 6, "now": 5},
			})
			return true
		}
		c := atDirect(t, fake, nil)
		look := func(tokens int) {
			t.Helper()
			if got := one(t, c, 1, "o", "imp_1"); got.Err != nil || fake.called("POST /users/getToken") != tokens {
				t.Errorf("got %+v, the token was asked for %d times, want %d", got,
					fake.called("POST /users/getToken"), tokens)
			}
		}
		look(1)
		time.Sleep(4 * time.Second)
		look(1)
		time.Sleep(2 * time.Second)
		look(2)
	})
}

func TestAFailedRenewalIsBridgedByTheOldToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFakeV1(v1Payment("imp_1", "o", "paid"))
		c := atDirect(t, fake, nil)
		one(t, c, 1, "o", "imp_1")
		fake.fault = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/users/getToken" {
				http.Error(w, "down", http.StatusBadGateway)
				return true
			}
			return false
		}
		time.Sleep(30*time.Minute - 20*time.Second)
		if got := one(t, c, 1, "o", "imp_1"); got.Err != nil {
			t.Errorf("the token is good for 20 s: %v", got.Err)
		}
		time.Sleep(20 * time.Second)
		if got := one(t, c, 1, "o", "imp_1"); got.Err == nil {
			t.Error("the token has ended, and yet there was an answer")
		}
		fake.fault = nil
		time.Sleep(5 * time.Second)
		if got := one(t, c, 1, "o", "imp_1"); got.Err != nil {
			t.Errorf("PortOne is back: %v", got.Err)
		}
	})
}

func TestTokensThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	for _, response := range []any{
		nil,
		object{},
		object{"access_token": "a", "expired_at": 5},
		object{"access_token": "a", "expired_at": 5, "now": 5},
		object{"access_token": "", "expired_at": 9, "now": 5},
		object{"access_token": "a\r\nb", "expired_at": 9, "now": 5},
		object{"access_token": 1, "expired_at": 9, "now": 5},
		json.RawMessage(`{"access_token": "a", "access_token": 1, "expired_at": 9, "now": 5}`),
		"x",
	} {
		fake := newFakeV1(v1Payment("imp_1", "o", "paid"))
		fake.fault = func(w http.ResponseWriter, _ *http.Request) bool {
			answer(w, http.StatusOK, object{"code": 0, "response": response})
			return true
		}
		if got := one(t, serve(t, fake, nil), 1, "o", "imp_1"); got.Err == nil || fake.called("GET") != 0 {
			t.Errorf("%v: got %+v", response, got)
		}
	}
}
