package portonesim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Of V2's tokens, which POST /login/api-secret gives out.
const accessLife = 30 * time.Minute

// v2 is V2's REST API.
func (s *Sim) v2() http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /payments", s.v2List)
	routes.HandleFunc("GET /payments-by-cursor", s.v2ByCursor)
	routes.HandleFunc("GET /payment-events-by-cursor", s.v2Events)
	routes.HandleFunc("GET /payments/{id}", s.v2Payment)
	routes.HandleFunc("GET /payments/{id}/transactions", s.v2Transactions)
	for name, do := range map[string]write{
		"cancel": s.v2Cancel, "confirm": s.v2Confirm, "pre-register": s.v2PreRegister, "resend-webhook": s.v2Resend,
		"virtual-account/close": s.v2Close,
	} {
		routes.HandleFunc("POST /payments/{id}/"+name, s.once(do))
	}
	routes.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse2(w, &refusal2{status: http.StatusNotFound, kind: "NOT_FOUND", message: missing(r)})
	})

	mux := http.NewServeMux()
	mux.HandleFunc("POST /login/api-secret", s.v2Login)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if !s.v2Knows(r) {
			refuse2(w, unauthorized2())
			return
		}
		routes.ServeHTTP(w, r)
	})
	return mux
}

// isV2 reports whether a call is V2's. Both APIs have an address here, and paths in
// common.
func (s *Sim) isV2(r *http.Request) bool {
	scheme, sent, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "PortOne") {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, given := s.logins[sent]
	return given && strings.EqualFold(scheme, "Bearer") ||
		r.URL.Path == "/login/api-secret" || strings.HasSuffix(r.URL.Path, "-by-cursor")
}

// v2Knows reports whether a call has V2's secret, or a token that it was given.
func (s *Sim) v2Knows(r *http.Request) bool {
	scheme, sent, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "PortOne") {
		return sent != "" && sent == s.opt.V2Secret
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.deps.Now().Before(s.logins[sent])
}

// v2Login gives out a token for the API secret.
func (s *Sim) v2Login(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Secret string `json:"apiSecret"`
	}
	switch err := json.NewDecoder(r.Body).Decode(&ask); {
	case err != nil || ask.Secret == "":
		refuse2(w, invalid2("apiSecret은 필수입니다."))
		return
	case ask.Secret != s.opt.V2Secret:
		refuse2(w, unauthorized2())
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := s.hash("v2 token", strconv.Itoa(len(s.logins)))
	access := fmt.Sprintf("v2-access-%x", sum[:16])
	s.logins[access] = s.deps.Now().Add(accessLife)
	answer(w, http.StatusOK, object{"accessToken": access, "refreshToken": fmt.Sprintf("v2-refresh-%x", sum[16:])})
}

func (s *Sim) v2Payment(w http.ResponseWriter, r *http.Request) {
	s.shown2(w, r, func(key string) any {
		if p := s.book.newest(key); p != nil {
			return p.v2View()
		}
		return nil
	})
}

func (s *Sim) v2Transactions(w http.ResponseWriter, r *http.Request) {
	s.shown2(w, r, func(key string) any {
		items := []object{}
		for _, p := range s.book.byOrder[key] {
			items = append(items, p.v2Transaction())
		}
		if len(items) == 0 {
			return nil
		}
		return object{"items": items}
	})
}

// shown2 answers with what there is of the order that a path names, in the store
// that the query names.
func (s *Sim) shown2(w http.ResponseWriter, r *http.Request, view func(key string) any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	store, err := s.store(r.URL.Query().Get("storeId"))
	if err != nil {
		answer2(w, nil, err)
		return
	}
	if found := view(key2(store, r.PathValue("id"))); found != nil {
		answer(w, http.StatusOK, found)
		return
	}
	refuse2(w, noPayment2())
}

// store returns the store that a call is about: the one that it names, or the one
// of the secret. The lock is held.
func (s *Sim) store(named string) (string, error) {
	switch {
	case named == "":
		return StoreID, nil
	case !s.book.stores[named]:
		return "", forbidden2()
	}
	return named, nil
}

// refusal2 is an answer of V2's other than 200.
type refusal2 struct {
	status        int
	kind, message string
}

func (r *refusal2) Error() string { return r.kind + ": " + r.message }

func invalid2(message string) *refusal2 {
	return &refusal2{http.StatusBadRequest, invalidRequest, message}
}

func unauthorized2() *refusal2 {
	return &refusal2{http.StatusUnauthorized, "UNAUTHORIZED", "인증 정보가 올바르지 않습니다."}
}

func forbidden2() *refusal2 {
	return &refusal2{http.StatusForbidden, "FORBIDDEN", "요청이 거절되었습니다."}
}

func noPayment2() *refusal2 {
	return &refusal2{http.StatusNotFound, "PAYMENT_NOT_FOUND", "결제 건이 존재하지 않습니다."}
}

func alreadyPaid2() *refusal2 {
	return &refusal2{http.StatusConflict, "ALREADY_PAID", "결제가 이미 완료되었습니다."}
}

// pgCode is the code of every error of the payment gateway behind PortOne.
const pgCode = "SIM-0001"

func refuse2(w http.ResponseWriter, r *refusal2) {
	body := object{"type": r.kind, "message": r.message}
	if r.kind == pgProvider {
		body["pgCode"], body["pgMessage"] = pgCode, r.message
	}
	answer(w, r.status, body)
}
