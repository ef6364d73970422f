package portone

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/flashgate/flashgate/gate"
)

// CloseAccount closes the virtual account of an attempt, so that nobody pays into it any
// more. It returns nil where it is closed, or does not wait for a deposit anyway: V2
// says so by PAYMENT_NOT_WAITING_FOR_DEPOSIT. Some payment providers close none.
func (c *Client) CloseAccount(ctx context.Context, order string, a gate.Attempt) error {
	switch {
	case a.Version == gate.V1 && c.v1 != nil:
		return c.v1.closeAccount(ctx, a.ID)
	case a.Version == gate.V2 && c.v2 != nil:
		return c.v2.closeAccount(ctx, order)
	}
	return noCredentials(a.Version)
}

func (v *v1) closeAccount(ctx context.Context, attempt string) error {
	if !plain(attempt) {
		return fmt.Errorf("close a virtual account: %.64q is no imp_uid", attempt)
	}
	_, err := v.write(ctx, call{name: "close_account", method: http.MethodDelete, path: "/vbanks/" + attempt})
	return err
}

func (v *v2) closeAccount(ctx context.Context, order string) error {
	id, err := segment(order)
	if err != nil {
		return err
	}
	path := "/payments/" + id + "/virtual-account/close" + v.ofStore()
	_, err = v.write(ctx, call{name: "close_account", method: http.MethodPost, path: path})
	var no *Error
	if errors.As(err, &no) && no.Status == http.StatusConflict && no.Code == "PAYMENT_NOT_WAITING_FOR_DEPOSIT" {
		return nil
	}
	return err
}
