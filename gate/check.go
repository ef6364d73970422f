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

// The names of the checks that a gate makes of its surroundings.
const (
	CheckPortOneV1   = "portone_v1"         // PortOne takes the credentials of V1
	CheckPortOneV2   = "portone_v2"         // PortOne takes the credentials of V2
	CheckClock       = "redis_clock"        // Redis' clock and the gate's agree
	CheckPersistence = "redis_persistence"  // a restart of Redis forgets no order
	CheckMinReplicas = "redis_min_replicas" // Redis takes no writes while it has no replica
	CheckNotify      = "shop_notify"        // the shop's notify URL can be reached
	CheckAsk         = "shop_ask"           // the shop's ask URL can be reached
	CheckForward     = "shop_forward"       // the URL of --forward-webhooks can be reached
)

// Checks returns the names of all checks.
func Checks() []string {
	return []string{
		CheckPortOneV1, CheckPortOneV2, CheckClock, CheckPersistence, CheckMinReplicas, CheckNotify,
		CheckAsk, CheckForward,
	}
}

// Check is the newest result of one check. Operators rely on its JSON. The zero value is not OK.
type Check struct {
	Name    string    `json:"name"`              // of Checks
	Subject string    `json:"subject"`           // what was checked, such as a host; never a secret
	OK      bool      `json:"ok"`                // false also if nobody could tell
	Unknown bool      `json:"unknown,omitempty"` // not OK only because nobody could tell
	Problem string    `json:"problem,omitempty"` // if not OK: what is wrong, and what to do
	Since   time.Time `json:"since"`             // since when the result is this one
	TriedAt time.Time `json:"tried_at,omitzero"` // when it was last tried; zero if not yet
}

// Status is the state of a gate and its surroundings, as operators see it.
type Status struct {
	Gate     string    `json:"gate"`  // its name
	Ready    bool      `json:"ready"` // as /readyz says
	Replicas *Replicas `json:"replicas,omitempty"`
	Checks   []Check   `json:"checks"`
}

// Replicas is how many replicas of Redis follow, for a gate whose 200s wait for some.
type Replicas struct {
	Have    *int   `json:"have"` // nil if Redis does not say, or could not be asked
	Needed  int    `json:"needed"`
	Problem string `json:"problem,omitempty"` // if they are too few, or unknown: what to do
}

// UnknownError says that a check could not tell whether things are right.
type UnknownError struct {
	Reason string // why, and what to do
}

// Error implements error.
func (e *UnknownError) Error() string { return e.Reason }

// Unreachable says why a server could not be reached. The text stays the same as long as the reason
// does: it has no times and no port numbers, which change with each try.
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
