package portonesim

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
)

// maxBody is how long a call's body may be, in bytes.
const maxBody = 1 << 20

// faulty puts an outage, and the errors of the plan, before the REST APIs. A call
// that is repeated is drawn anew.
func (s *Sim) faulty(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			http.Error(w, "the body cannot be read", http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		what := r.Method + " " + r.URL.RequestURI() + " " + string(body)
		s.mu.Lock()
		s.calls[what]++
		count, out := strconv.Itoa(s.calls[what]), s.outage
		s.mu.Unlock()
		switch {
		case out.fails(w, s.deps.Now()):
		case s.draw("rest", what, count) < s.opt.Plan.RESTErrors:
			if s.draw("rest done", what, count) < 0.5 {
				next.ServeHTTP(&unheard{header: http.Header{}}, r)
			}
			http.Error(w, "Bad Gateway", http.StatusBadGateway)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// unheard is an answer that nobody receives.
type unheard struct{ header http.Header }

func (u *unheard) Header() http.Header         { return u.header }
func (u *unheard) Write(b []byte) (int, error) { return len(b), nil }
func (u *unheard) WriteHeader(int)             {}

// missing says that a route is unknown, in the words of both APIs.
func missing(r *http.Request) string { return r.Method + " " + r.URL.Path + " does not exist" }

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // who has hung up has no answer
}

// page returns one page of a list, numbered from 0.
func page[T any](list []T, number, size int) []T {
	from := min(number*size, len(list))
	return list[from:min(from+size, len(list))]
}
