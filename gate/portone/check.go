package portone

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// Address returns the address of a version's API, which contains no secret; empty without
// credentials of that version.
func (c *Client) Address(v gate.Version) string {
	lookups := c.Lookups()
	switch {
	case v == gate.V1 && lookups.V1:
		return c.v1.base
	case v == gate.V2 && lookups.V2:
		return c.v2.base
	}
	return ""
}

// Check calls the API of a version, to see whether it takes the credentials: V1's
// for a token, V2's for one payment of the last minute, if there is any. It changes
// nothing. Its errors say what to do and show no secret; a *gate.UnknownError says
// that nobody could tell.
func (c *Client) Check(ctx context.Context, v gate.Version) error {
	switch {
	case c.Address(v) == "":
		return noCredentials(v)
	case v == gate.V1:
		return diagnosis(c.v1.tokens.check(ctx), "FLASHGATE_PORTONE_V1_KEY and FLASHGATE_PORTONE_V1_SECRET")
	}
	_, _, err := c.v2.list(ctx, c.v2.now().Add(-time.Minute), 0, 1)
	return diagnosis(err, "FLASHGATE_PORTONE_V2_SECRET, and --portone-v2-store where it is given,")
}

// Any reports whether PortOne lists any payment of the last 90 days, which is as far
// back as V1's list goes, to these credentials: then they are those of a shop with payments (V1's GET
// /payments/status/all, V2's GET /payments).
func (c *Client) Any(ctx context.Context, version gate.Version) (bool, error) {
	switch {
	case c.Address(version) == "":
		return false, noCredentials(version)
	case version == gate.V1:
		return c.v1.any(ctx)
	}
	page, _, err := c.v2.list(ctx, c.v2.now().Add(-v1Window), 0, 1)
	return len(page) > 0, err
}

// diagnosis says, in words that stay the same, what is to be done about an error of
// a call with these credentials.
func diagnosis(err error, credentials string) error {
	const until = "; until then nobody learns how payments end"
	var no *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, new(*unsent)):
		return &gate.UnknownError{Reason: "no call could be made in time: calls to PortOne wait for one another " +
			"(--portone-rate), or PortOne has asked for a pause"}
	case !errors.As(err, &no):
		return fmt.Errorf("PortOne gives no answer that can be read (%s): open the way to it from this gate%s",
			gate.Unreachable(err), until)
	// V1's envelope says no
	case no.Status == http.StatusUnauthorized, no.Status == http.StatusForbidden, no.Status == http.StatusOK:
		return fmt.Errorf("PortOne does not take the credentials (it answers %d): copy %s from its console, and "+
			"start the gate anew%s", no.Status, credentials, until)
	case no.Status == http.StatusTooManyRequests:
		return fmt.Errorf("PortOne is called too often (it answers %d): lower --portone-rate, or ask "+
			"PortOne for more%s", no.Status, until)
	}
	return fmt.Errorf("PortOne answers %d: if that lasts, see its status page%s", no.Status, until)
}
