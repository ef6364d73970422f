package portonesim

import (
	"cmp"
	"errors"
	"fmt"
)

// maxAttempt is how long an attempt's id may be, in bytes.
const maxAttempt = 64

// Confirm is a confirm call that somebody else has made in PortOne's stead, such
// as a load generator, and what the shop answered.
type Confirm struct {
	Order          // what the call said; ConfirmURL is empty, for the shop is not asked again
	Attempt string `json:"attempt"`       // imp_uid or transactionId that the call named
	Status  int    `json:"confirmStatus"` // of the answer; 0: none came
	Answer  string `json:"confirmBody"`   // its body, which has the reason of a refusal
}

// Confirmed goes on from confirm calls that others have made: those that were
// answered with 200 are approved, or become what the plan has instead, and the
// others fail. Look-ups show them when it returns; what comes of them, and the
// webhooks, follows in the background. Calls that it was told of before are left
// alone, so that a list may be sent again. An error says which call cannot be, and
// that nothing was done about any of them.
func (s *Sim) Confirmed(calls []Confirm) error {
	for i := range calls {
		if err := calls[i].complete(); err != nil {
			return fmt.Errorf("confirm %d: %w", i, err)
		}
	}
	attempts, err := s.enter(calls)
	for i, r := range attempts {
		if r != nil {
			s.start(r, func() {
				s.open(r)
				s.answered(r, calls[i].Status, calls[i].Answer)
			})
		}
	}
	return err
}

// enter returns the attempts that the calls were about, nil for those that are in
// the book already.
func (s *Sim) enter(calls []Confirm) ([]*record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	orders := map[string]string{} // by attempt
	for i, c := range calls {
		order := cmp.Or(s.book.owner[c.Attempt], orders[c.Attempt], c.key())
		if order != c.key() {
			return nil, fmt.Errorf("confirm %d: attempt %q is of another order already", i, c.Attempt)
		}
		orders[c.Attempt] = order
	}
	attempts := make([]*record, len(calls))
	for i, c := range calls {
		if s.book.owner[c.Attempt] == "" {
			attempts[i] = s.record(c.Order)
			attempts[i].attempt = c.Attempt
			s.book.add(attempts[i])
		}
	}
	return attempts, nil
}

// complete fills in what may be left out, and says what is wrong.
func (c *Confirm) complete() error {
	if err := c.Order.complete(); err != nil {
		return err
	}
	switch {
	case c.Attempt == "" || len(c.Attempt) > maxAttempt:
		return fmt.Errorf("attempt: must be 1 to %d bytes", maxAttempt)
	case c.Status != 0 && (c.Status < 200 || c.Status > 599):
		return fmt.Errorf("confirmStatus %d: must be an HTTP status, or 0 where no answer came", c.Status)
	case c.ConfirmURL != "" || c.ManualConfirm:
		return errors.New("confirmUrl, manualConfirm: the shop has answered already")
	}
	return nil
}
