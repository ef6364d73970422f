package portonesim

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	tokenLife   = 30 * time.Minute
	tokenMore   = 5 * time.Minute // added where it is asked for in its last minute
	v1NoPayment = "존재하지 않는 결제정보입니다."
	v1Bad       = "요청이 올바르지 않습니다."
)

// token is V1's access token: everybody is given the same one while it is good.
type token struct {
	value  string
	number int
	ends   time.Time
}

// v1 is V1's REST API.
func (s *Sim) v1() http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /payments/{imp_uid}", s.v1Payment)
	routes.HandleFunc("GET /payments/{imp_uid}/{part}", s.v1Part)
	routes.HandleFunc("GET /payments", s.v1Payments)
	routes.HandleFunc("GET /payments/status/{status}", s.v1ByStatus)
	for _, ending := range []string{"", "/{$}", "/{status}", "/{status}/{$}"} {
		routes.HandleFunc("GET /payments/findAll/{merchant_uid}"+ending, s.v1FindAll)
		routes.HandleFunc("GET /payments/find/{merchant_uid}"+ending, s.v1Find)
	}
	routes.HandleFunc("POST /payments/cancel", s.v1Cancel)
	routes.HandleFunc("POST /payments/prepare", s.v1Prepare)
	routes.HandleFunc("PUT /payments/prepare", s.v1Prepare)
	routes.HandleFunc("GET /payments/prepare/{merchant_uid}", s.v1Prepared)
	routes.HandleFunc("DELETE /payments/prepare/{merchant_uid}", s.v1Prepared)
	routes.HandleFunc("DELETE /vbanks/{imp_uid}", s.v1Close)
	routes.HandleFunc("/", v1Missing)

	mux := http.NewServeMux()
	mux.HandleFunc("POST /users/getToken", s.v1Token)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		sent := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ") // V1 takes it with and without
		if !s.tokenGood(sent) {
			refuse1(w, http.StatusUnauthorized, -1, "Unauthorized")
			return
		}
		routes.ServeHTTP(w, r)
	})
	return mux
}

// v1Missing answers a call of a route that V1 has not.
func v1Missing(w http.ResponseWriter, r *http.Request) {
	refuse1(w, http.StatusNotFound, -1, missing(r))
}

func good1(w http.ResponseWriter, status int, response any) {
	answer(w, status, object{"code": 0, "message": nil, "response": response})
}

func refuse1(w http.ResponseWriter, status, code int, message string) {
	answer(w, status, object{"code": code, "message": message, "response": nil})
}

func (s *Sim) v1Token(w http.ResponseWriter, r *http.Request) {
	ask, err := fields(r)
	if err != nil || ask["imp_key"] != s.opt.V1Key || ask["imp_secret"] != s.opt.V1Secret {
		refuse1(w, http.StatusUnauthorized, -1, "인증에 실패하였습니다. API키와 secret을 확인하세요.")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.deps.Now()
	switch left := s.token.ends.Sub(now); {
	case left <= 0:
		number := s.token.number + 1
		sum := s.hash("token", strconv.Itoa(number))
		s.token = token{value: fmt.Sprintf("%x", sum[:20]), number: number, ends: now.Add(tokenLife)}
	case left <= time.Minute:
		s.token.ends = s.token.ends.Add(tokenMore)
	}
	good1(w, http.StatusOK, object{"access_token": s.token.value, "expired_at": s.token.ends.Unix(), "now": now.Unix()})
}

func (s *Sim) tokenGood(sent string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sent != "" && sent == s.token.value && s.deps.Now().Before(s.token.ends)
}

// fields reads a body of V1's, which may be JSON or a form.
func fields(r *http.Request) (map[string]string, error) {
	values := map[string]string{}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		err := r.ParseForm()
		for name := range r.PostForm {
			values[name] = r.PostForm.Get(name)
		}
		return values, err
	}
	var body object
	decoder := json.NewDecoder(r.Body)
	decoder.UseNumber()
	err := decoder.Decode(&body)
	for name, value := range body {
		if value != nil {
			values[name] = fmt.Sprint(value)
		}
	}
	return values, err
}
