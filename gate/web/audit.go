package web

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// auditTimeout bounds an audit within the time that the listener gives an answer.
const auditTimeout = 100 * time.Second

// audit tells what differs within a sale, and between it and the payment
// service. One audit runs at a time, for it reads all of a sale.
func (a *Admin) audit(w http.ResponseWriter, r *http.Request, _ string) {
	if !a.auditing.TryLock() {
		problem(w, http.StatusConflict, errors.New("this gate audits a sale just now: ask again when that is done"))
		return
	}
	defer a.auditing.Unlock()
	ctx, cancel := context.WithTimeout(r.Context(), auditTimeout)
	defer cancel()
	query := r.URL.Query()
	report, err := a.opt.Audit(ctx, r.PathValue("sale"), query.Get("order_prefix"), query.Get("known_orders") == "true")
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		problem(w, http.StatusServiceUnavailable, errors.New("the audit takes longer than a call may: use flashgate audit"))
	case err != nil:
		a.saleFault(r.Context(), w, r, err)
	default:
		reply(w, http.StatusOK, report)
	}
}
