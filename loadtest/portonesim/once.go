package portonesim

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	keyLife = 3 * time.Hour
	minKey  = 16
	maxKey  = 256
)

// reply is the answer to a call with an idempotency key.
type reply struct {
	ask     string // what was called, and with what body
	running bool
	began   time.Time
	answer  any
	err     error
}

// write is a call of V2's that changes something. Its error is a refusal2.
type write func(r *http.Request, body []byte) (answer any, err error)

// once gives calls with the same Idempotency-Key the same answer. PortOne forbids
// another call with the same key and does not say what it answers: here it is
// refused, so that the mistake is seen.
func (s *Sim) once(do write) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		key := strings.Trim(r.Header.Get("Idempotency-Key"), `"`)
		switch {
		case err != nil:
			refuse2(w, invalid2("요청 본문을 읽을 수 없습니다."))
			return
		case key == "":
			done, err := do(r, body)
			answer2(w, done, err)
			return
		case !keyGood(key):
			refuse2(w, invalid2("Idempotency-Key는 16자 이상 256자 이하의 영문, 숫자, -, _여야 합니다."))
			return
		}
		ask := r.URL.RequestURI() + " " + string(body)
		s.mu.Lock()
		defer s.mu.Unlock()
		known := s.keys[key]
		switch {
		case known == nil || s.deps.Now().Sub(known.began) > keyLife:
			known = &reply{ask: ask, running: true, began: s.deps.Now()}
			s.keys[key] = known
			s.mu.Unlock()
			done, err := do(r, body)
			s.mu.Lock()
			known.running, known.answer, known.err = false, done, err
		case known.ask != ask:
			refuse2(w, invalid2("Idempotency-Key가 다른 요청에 사용되었습니다."))
			return
		case known.running:
			refuse2(w, &refusal2{http.StatusConflict, "IDEMPOTENCY_OUTSTANDING_REQUEST", "같은 요청이 진행 중입니다."})
			return
		}
		answer2(w, known.answer, known.err)
	}
}

func answer2(w http.ResponseWriter, done any, err error) {
	var no *refusal2
	if errors.As(err, &no) {
		refuse2(w, no)
		return
	}
	answer(w, http.StatusOK, done)
}

func keyGood(key string) bool {
	return len(key) >= minKey && len(key) <= maxKey && strings.IndexFunc(key, func(c rune) bool {
		return !('0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '-' || c == '_')
	}) < 0
}
