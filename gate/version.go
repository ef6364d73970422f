package gate

// Version is the version of PortOne's interface that a payment belongs to: the one
// that made the confirm call, and whose REST API knows the payment. In JSON it is the
// number 1 or 2.
type Version uint8

// The versions. Only V2 signs its confirm calls.
const (
	NoVersion Version = 0 // unknown: no call is taken and no payment looked up
	V1        Version = 1
	V2        Version = 2
)

// Versions returns every version of PortOne's interface.
func Versions() []Version { return []Version{V1, V2} }

// VersionNames returns the names of Versions, which a sale's accept lists.
func VersionNames() (names []string) {
	for _, v := range Versions() {
		names = append(names, v.String())
	}
	return names
}

// String returns the version's name in sale files, logs and metrics: "v1" or "v2".
func (v Version) String() string {
	switch v {
	case V1:
		return "v1"
	case V2:
		return "v2"
	}
	return "unknown"
}
