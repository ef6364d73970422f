package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/settle"
)

// statusError is an error with the HTTP status that answers it.
type statusError struct {
	status int
	error
}

func withStatus(status int, err error) error { return &statusError{status, err} }
func badRequest(err error) error             { return withStatus(http.StatusBadRequest, err) }

// writeJSON writes v as JSON.
func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false) // a link must be copied as it is
	_ = encoder.Encode(v)        // the caller may have gone
}

// writeError answers with an error's text.
func writeError(w http.ResponseWriter, status int, err error) {
	writeJSON(w, status, struct {
		Error string `json:"error"`
	}{err.Error()})
}

// writeStoreError answers an error of the store or of the domain.
func writeStoreError(w http.ResponseWriter, err error) {
	if own, is := errors.AsType[*statusError](err); is {
		writeError(w, own.status, own.error)
		return
	}
	if loss, is := errors.AsType[*gate.LossError](err); is {
		writeJSON(w, http.StatusConflict, struct {
			Error string    `json:"error"`
			Lost  gate.Loss `json:"lost"`
			Agree string    `json:"agree"` // the query that agrees to losing it
		}{err.Error(), loss.Loss, query(loss.Agreement())})
		return
	}
	if open, is := errors.AsType[*gate.UnsecuredError](err); is {
		writeJSON(w, http.StatusGatewayTimeout, struct {
			Error    string `json:"error"`
			Done     bool   `json:"done"`
			Replicas int64  `json:"replicas"`
			Wanted   int    `json:"wanted"`
		}{err.Error(), true, open.Replicas, open.Wanted})
		return
	}
	if large, is := errors.AsType[*http.MaxBytesError](err); is {
		writeError(w, http.StatusRequestEntityTooLarge, fmt.Errorf("%w: at most %d bytes are taken", err, large.Limit))
		return
	}
	if other, is := errors.AsType[*gate.VersionError](err); is {
		writeJSON(w, http.StatusConflict, struct {
			Error   string `json:"error"`
			Version int64  `json:"version"` // of the sale
		}{err.Error(), other.Known})
		return
	}
	writeError(w, storeStatus(err), err)
}

// storeStatus returns the status that answers an error of the store or of the domain.
func storeStatus(err error) int {
	_, isStock := errors.AsType[*gate.StockError](err)
	_, isRun := errors.AsType[*gate.RunError](err)
	_, isOpen := errors.AsType[*gate.OpenError](err)
	switch {
	case errors.Is(err, gate.ErrNoSale), errors.Is(err, gate.ErrNoOrder):
		return http.StatusNotFound
	case isStock, isRun, isOpen, errors.Is(err, gate.ErrChanged), errors.Is(err, settle.ErrReport),
		errors.Is(err, settle.ErrGiveBack):
		return http.StatusConflict
	}
	return http.StatusServiceUnavailable
}
