package gate

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// The names of what a gate tries of its surroundings.
const (
	CheckPortOneV1   = "portone_v1"         // PortOne takes the credentials of V1
	CheckPortOneV2   = "portone_v2"         // and those of V2
	CheckClock       = "redis_clock"        // Redis' clock and the gate's agree
	CheckPersistence = "redis_persistence"  // a restart of Redis forgets no order
	CheckMinReplicas = "redis_min_replicas" // Redis takes no writes while it has no replica
	CheckNotify      = "shop_notify"        // the shop can be told of changes
	CheckAsk         = "shop_ask"           // the shop can be asked about orders
	CheckForward     = "shop_forward"       // webhooks can be passed on to the shop
)

// Checks returns the names of all checks.
func Checks() []string {
	return []string{
		CheckPortOneV1, CheckPortOneV2, CheckClock, CheckPersistence, CheckMinReplicas, CheckNotify,
		CheckAsk, CheckForward,
	}
}

// Check is something of a gate's surroundings, and what came of trying it. Its
// JSON is part of what is promised to operators. The zero value is nothing good.
type Check struct {
	Name    string    `json:"name"`              // of Checks
	Subject string    `json:"subject"`           // which one was tried; never a secret
	OK      bool      `json:"ok"`                // good; false also where it is not known
	Unknown bool      `json:"unknown,omitempty"` // not OK only because nobody could tell
	Problem string    `json:"problem,omitempty"` // where it is not OK: what is wrong, and what to do
	Since   time.Time `json:"since"`             // it is so
	TriedAt time.Time `json:"tried_at,omitzero"` // last; zero: not yet
}

// Status is how a gate and its surroundings are, as operators are shown it.
type Status struct {
	Gate     string    `json:"gate"`  // its name
	Ready    bool      `json:"ready"` // as /readyz says
	Replicas *Replicas `json:"replicas,omitempty"`
	Checks   []Check   `json:"checks"`
}

// Replicas is how many replicas of Redis follow, where a 200 waits for some.
type Replicas struct {
	Have    *int   `json:"have"` // nil: Redis does not tell, or could not be asked
	Needed  int    `json:"needed"`
	Problem string `json:"problem,omitempty"` // where they are too few, or not known: what to do
}

// UnknownError says that nobody could tell whether something is as it should be.
type UnknownError struct {
	Reason string // why, and what to do
}

// Error implements error.
func (e *UnknownError) Error() string { return e.Reason }

// Unreachable says why a server could not be reached, in words that stay the same
// for as long as the reason does: without the time, and without the addresses of a
// connection's ends, which are others at each try.
func Unreachable(err error) string {
	invalid, isInvalid := errors.AsType[x509.CertificateInvalidError](err)
	dns, isDNS := errors.AsType[*net.DNSError](err)
	operation, isOperation := errors.AsType[*net.OpError](err)
	switch {
	case isInvalid && invalid.Reason == x509.Expired && invalid.Cert != nil:
		return fmt.Sprintf("its certificate is good from %s to %s, and not now",
			invalid.Cert.NotBefore.Format(time.RFC3339), invalid.Cert.NotAfter.Format(time.RFC3339))
	case isDNS && dns.IsNotFound:
		return "there is no host " + dns.Name
	case isDNS:
		return "the name server does not say where " + dns.Name + " is"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "it did not answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "it hung up without an answer"
	case isOperation:
		return operation.Err.Error()
	}
	return err.Error()
}
