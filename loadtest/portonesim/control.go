package portonesim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// control is what makes payments, below /sim/:
//
//	POST /sim/pay        an Order                      → its Result, when the attempt has ended
//	POST /sim/confirmed  a list of Confirm               goes on from confirm calls that others have made
//	POST /sim/cancel     {"order","attempt","amount"}    gives money back from the console
//	POST /sim/settle     {"order","fails"}               ends what is requested of it, and its pending refund
//	POST /sim/chargeback {"order"}                       has the card company take the money back
//	POST /sim/dispute    {"order"}                       has the buyer dispute the payment (V2)
//	POST /sim/resolve    {"order"}                       ends the dispute
//	POST /sim/revive     {"order"}                       approves a payment of V1 that has failed
//	POST /sim/deposit    {"order"}                       pays into a virtual account
//	POST /sim/down       ?for=30s, ?hangup=true          has the REST APIs answer 503 or hang up, until /sim/up
//	POST /sim/up                                         ends that
//	GET  /sim/payments                                 → every Payment
func (s *Sim) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /sim/pay", func(w http.ResponseWriter, r *http.Request) {
		var o Order
		if !s.told(w, r, &o) {
			return
		}
		if err := o.complete(); err != nil {
			complain(w, http.StatusBadRequest, err)
			return
		}
		answer(w, http.StatusOK, s.Pay(r.Context(), o))
	})
	mux.HandleFunc("POST /sim/cancel", func(w http.ResponseWriter, r *http.Request) {
		var ask struct {
			Order   string `json:"order"`
			Attempt string `json:"attempt"`
			Amount  int64  `json:"amount"`
		}
		if s.told(w, r, &ask) {
			done(w, s.Cancel(ask.Order, ask.Attempt, ask.Amount))
		}
	})
	mux.HandleFunc("POST /sim/settle", func(w http.ResponseWriter, r *http.Request) {
		var ask struct {
			Order string `json:"order"`
			Fails bool   `json:"fails"`
		}
		if s.told(w, r, &ask) {
			done(w, s.Settle(ask.Order, ask.Fails))
		}
	})
	for path, do := range map[string]func(order string) error{
		"deposit": s.Deposit, "revive": s.Revive, "chargeback": s.Chargeback, "dispute": s.Dispute,
		"resolve": s.Resolve,
	} {
		mux.HandleFunc("POST /sim/"+path, func(w http.ResponseWriter, r *http.Request) {
			var ask struct {
				Order string `json:"order"`
			}
			if s.told(w, r, &ask) {
				done(w, do(ask.Order))
			}
		})
	}
	mux.HandleFunc("POST /sim/down", func(w http.ResponseWriter, r *http.Request) {
		o, err := s.outageOf(r.URL.Query())
		if err != nil {
			complain(w, http.StatusBadRequest, err)
			return
		}
		s.setOutage(o)
		done(w, nil)
	})
	mux.HandleFunc("POST /sim/up", func(w http.ResponseWriter, _ *http.Request) {
		s.SetDown(false)
		done(w, nil)
	})
	mux.HandleFunc("POST /sim/confirmed", func(w http.ResponseWriter, r *http.Request) {
		var calls []Confirm
		if !s.told(w, r, &calls) {
			return
		}
		if err := s.Confirmed(calls); err != nil {
			complain(w, http.StatusBadRequest, err)
			return
		}
		done(w, nil)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		complain(w, http.StatusNotFound, errors.New(missing(r)))
	})
	mux.HandleFunc("GET /sim/payments", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, s.Payments())
	})
	return mux
}

// told reads a call's body, and answers where it cannot.
func (s *Sim) told(w http.ResponseWriter, r *http.Request, ask any) bool {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(ask); err != nil {
		complain(w, http.StatusBadRequest, fmt.Errorf("the body cannot be read: %w", s.deps.Explain(err)))
		return false
	}
	return true
}

func done(w http.ResponseWriter, err error) {
	if err != nil {
		complain(w, http.StatusConflict, err)
		return
	}
	answer(w, http.StatusOK, object{})
}

func complain(w http.ResponseWriter, status int, err error) {
	answer(w, status, object{"error": err.Error()})
}
