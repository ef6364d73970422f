package web

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/flashgate/flashgate/gate"
)

const (
	callTimeout = 10 * time.Second // of one call of the API
	listTimeout = time.Minute      // of one that reads all orders of a sale
	maxCall     = 512 << 10        // bytes of its body; the largest sale has less than half
)

// apiCall is one call of the API that was let in, with all of its body.
type apiCall struct {
	*http.Request
	who string // the caller's name
}

func (c *apiCall) sale() string  { return c.PathValue("sale") }
func (c *apiCall) order() string { return c.PathValue("order") }

// flag reports whether the query sets the name to true.
func (c *apiCall) flag(name string) bool { return c.FormValue(name) == "true" }

// decode reads the body, which must be JSON and have no fields that v lacks.
func (c *apiCall) decode(v any) error {
	if kind, _, _ := mime.ParseMediaType(c.Header.Get("Content-Type")); kind != "application/json" {
		return withStatus(http.StatusUnsupportedMediaType, errors.New("Content-Type must be application/json"))
	}
	decoder := json.NewDecoder(c.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		return badRequest(fmt.Errorf("the body is not what this call takes: %w", gate.BodyError(err)))
	}
	return nil
}

// reply is the answer to a call that succeeded. The zero value is an empty answer.
type reply struct {
	status int // 0: 200 with a body, 204 without
	body   any // written as JSON; nil writes none
}

// result returns a reply of 200 with a body, unless there is an error.
func result(body any, err error) (reply, error) {
	if err != nil {
		return reply{}, err
	}
	return reply{body: body}, nil
}

// endpoint carries a call out. Its error is answered by writeStoreError; for a sale that is not
// there, the answer says why.
type endpoint func(ctx context.Context, c *apiCall) (reply, error)

// api makes a handler of an endpoint. The timeout counts from when the body was read.
func (a *Admin) api(timeout time.Duration, carryOut endpoint) handler {
	return func(w http.ResponseWriter, r *http.Request, who string) {
		if err := receive(r); err != nil {
			writeStoreError(w, err)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		c := &apiCall{r, who}
		done, err := carryOut(ctx, c)
		switch {
		case err != nil && c.sale() != "":
			writeStoreError(w, gate.Gone(ctx, a.deps.Sales, c.sale(), err))
		case err != nil:
			writeStoreError(w, err)
		case done.body == nil:
			w.WriteHeader(cmp.Or(done.status, http.StatusNoContent))
		default:
			writeJSON(w, cmp.Or(done.status, http.StatusOK), done.body)
		}
	}
}

// receive reads all of a request's body.
func receive(r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	if _, isLarge := errors.AsType[*http.MaxBytesError](err); err != nil && !isLarge {
		return badRequest(fmt.Errorf("the body cannot be read: %w", err))
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return err
}

// bounded refuses a body that is too large. If its length is announced, it is refused before the
// client is told to send it.
func bounded(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request, who string) {
		if r.ContentLength > maxCall {
			w.Header().Set("Connection", "close") // nobody reads the rest of the body
			writeStoreError(w, &http.MaxBytesError{Limit: maxCall})
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxCall)
		next(w, r, who)
	}
}

// logChange logs a change that a call made. The ledger has it too, with the settings before.
func (a *Admin) logChange(c *apiCall, kind string) {
	a.deps.Log.Info("a sale was changed through the admin API", "who", c.who, "kind", kind, "sale", c.sale())
}

func (a *Admin) status(context.Context, *apiCall) (reply, error) {
	return reply{body: a.deps.Status()}, nil
}
