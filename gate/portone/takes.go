package portone

import (
	"slices"

	"github.com/flashgate/flashgate/gate"
)

// Lookups says for which versions gates can look up how payments end. The zero value means for none:
// then the shop reports each order itself.
type Lookups struct{ V1, V2 bool }

// Lookups returns the versions that the client has credentials of. A nil *Client
// has none.
func (c *Client) Lookups() Lookups {
	if c == nil {
		return Lookups{}
	}
	return Lookups{V1: c.v1 != nil, V2: c.v2 != nil}
}

// blind reports whether only payments of the other version can be looked up: then no
// look-up would ever end what a call of this version holds.
func (l Lookups) blind(v gate.Version) bool {
	return v == gate.V1 && l.V2 && !l.V1 || v == gate.V2 && l.V1 && !l.V2
}

// Takes reports whether a sale takes a call of version v, where accept lists the versions
// that it names. If not, the verdict says why, and what the sale must say.
//
// A sale that names versions takes these alone. A sale that names none takes v if its
// payments can be looked up, or if no version's can. It takes V1, which signs nothing, only
// where calls are not verified: else an attacker could leave the signature out by writing
// the older body.
func (s *Secrets) Takes(v gate.Version, accept []string, lookups Lookups) (gate.Verdict, bool) {
	switch {
	case v != gate.V1 && v != gate.V2:
		return needsName(gate.VersionNotNamed, v), false
	case slices.Contains(accept, v.String()):
		return gate.Verdict{}, true
	case len(accept) > 0:
		return needsName(gate.VersionNotNamed, v), false
	case v == gate.V1 && !s.current().open:
		return needsName(gate.VersionUnsigned, v), false
	case lookups.blind(v):
		return needsName(gate.VersionNotLookedUp, v), false
	}
	return gate.Verdict{}, true
}

// Untaken returns why a sale that names no version does not take all that PortOne
// can send: a verdict for each version that is refused.
func (s *Secrets) Untaken(lookups Lookups) (all []gate.Verdict) {
	for _, version := range gate.Versions() {
		if v, ok := s.Takes(version, nil, lookups); !ok {
			all = append(all, v)
		}
	}
	return all
}

// needsName returns the verdict on a call that is taken where the sale names its
// version. It is made of constants: nothing is allocated for a refusal.
func needsName(c gate.Cause, v gate.Version) gate.Verdict {
	verdict := gate.RefuseFor(c)
	verdict.Field, verdict.Want = "accept", "must name v1 in the sale's file: accept: [v1], or [v1, v2] for both"
	if v == gate.V2 {
		verdict.Want = "must name v2 in the sale's file: accept: [v2], or [v1, v2] for both"
	}
	return verdict
}
