package portone

import "github.com/flashgate/flashgate/gate"

// Store is the id of the store of V2's whose calls and payments are the shop's:
// one merchant may have several, with payments of the same ids. The empty one is
// every store; V1 has none.
type Store string

// Other reports whether what names a store is another one's. What names none, such
// as calls of V2's 2024-01-01, may be this one's.
func (s Store) Other(named string) bool { return s != "" && named != "" && named != string(s) }

// takes reports whether a confirm call may be the store's, by what it says of its
// store; the verdict says why it is not.
func (s Store) takes(named value) (gate.Verdict, bool) {
	if s == "" || named.syntax == absent || named.is(string(s)) {
		return gate.Verdict{}, true
	}
	v := gate.RefuseFor(gate.OtherStore)
	v.Field, v.Want = dataStoreID.String(), "must be the store that --portone-v2-store names"
	return v, false
}
