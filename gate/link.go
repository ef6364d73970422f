package gate

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A confirm_url is set in the buyer's browser, so what it claims is signed. The
// signature is an HMAC-SHA256 in unpadded base64url over these values, decoded,
// with a line break between: version, sale, items, buyer, order, amount, expiry.
// The order stands in no link: it comes with PortOne's call, so that a link
// serves one order alone.

// Link is the decoded query of a confirm_url. A call that takes a Link does not keep its slices.
type Link struct {
	Items     []byte // "SKU[:QUANTITY],…"
	Buyer     []byte // may be empty if the sale has no limit for one buyer
	Amount    []byte // digits, in PortOne's unit; empty if the link does not say
	Expires   []byte // seconds since 1970, in digits
	Version   []byte // linkVersion
	KeyID     []byte
	Signature []byte
}

const (
	linkVersion = "1"
	minKey      = 32 // bytes
	maxKeyID    = 16
	maxExpiry   = 9_999_999_999_999 // seconds; what ParseDigits reads
	// MaxLink is the greatest length that a link should have, in characters: PortOne's documents do
	// not say what happens to a longer one.
	MaxLink = 255
)

// Keys sign links and verify them. Goroutines may share them. A nil *Keys takes no link; Unsigned
// takes all.
type Keys struct{ set Replaceable[keySet] }

// keySet is the current set of keys. The zero value takes no link.
type keySet struct {
	first *key
	byID  map[string]*key
	open  bool // links are not verified
}

func newKeys(set keySet) *Keys {
	k := &Keys{}
	k.set.Set(set)
	return k
}

// Replace puts the other keys in the place of k's.
func (k *Keys) Replace(other *Keys) { k.set.Replace(&other.set) }

func (k *Keys) current() (set keySet) {
	if k != nil {
		set = k.set.Now()
	}
	return set
}

type key struct {
	id     string
	macs   sync.Pool   // of *mac
	proven atomic.Bool // a right signature of it was seen, so the shop has the same key
}

type mac struct {
	hash.Hash
	text []byte // what is signed
	sum  []byte
}

// Unsigned returns keys that sign nothing and take links that nobody signed.
func Unsigned() *Keys { return newKeys(keySet{open: true}) }

// ParseKeys reads keys written as "ID:BASE64,…". The first one signs, all of
// them verify, so that keys can be changed without refusing anybody. Its errors
// never show a key.
func ParseKeys(text string) (*Keys, error) {
	k := keySet{byID: map[string]*key{}}
	for i, item := range Items(text) {
		id, secret, found := strings.Cut(item, ":")
		if !found || !ValidName(id) || len(id) > maxKeyID {
			return nil, fmt.Errorf("signing key %d: write it as ID:BASE64, with 1 to %d of A-Z a-z 0-9 _ . - as its id",
				i+1, maxKeyID)
		}
		if strange := Strange(secret, Visible); strange != "" {
			return nil, fmt.Errorf("signing key %s: what follows its id has %s, and must be base64", id, strange)
		}
		raw, err := base64.StdEncoding.DecodeString(secret)
		if err != nil {
			return nil, fmt.Errorf("signing key %s: what follows its id is not base64 (make one with: openssl "+
				"rand -base64 32)", id)
		}
		if len(raw) < minKey {
			return nil, fmt.Errorf("signing key %s has %d bytes: at least %d are needed (make one with: openssl "+
				"rand -base64 32)", id, len(raw), minKey)
		}
		if k.byID[id] != nil {
			return nil, fmt.Errorf("signing key %s is given twice", id)
		}
		added := &key{id: id}
		added.macs.New = func() any { return &mac{Hash: hmac.New(sha256.New, raw)} }
		k.byID[id] = added
		if k.first == nil {
			k.first = added
		}
	}
	return newKeys(k), nil
}

// sign appends the signature in base64url to dst.
func (k *key) sign(dst []byte, sale string, order []byte, l *Link) []byte {
	m := k.macs.Get().(*mac)
	defer k.macs.Put(m)
	return base64.RawURLEncoding.AppendEncode(dst, m.signature(sale, order, l))
}

// signature returns the HMAC of the link. It is valid until m is used again.
func (m *mac) signature(sale string, order []byte, l *Link) []byte {
	t := append(m.text[:0], l.Version...)
	t = append(append(t, '\n'), sale...)
	for _, value := range [...][]byte{l.Items, l.Buyer, order, l.Amount, l.Expires} {
		t = append(append(t, '\n'), value...)
	}
	m.text = t
	m.Reset()
	m.Write(t) // a hash never fails
	m.sum = m.Sum(m.sum[:0])
	return m.sum
}

// Verify reports whether this shop has signed the link for this sale and order, and whether the
// link has not expired; otherwise the verdict says why.
func (k *Keys) Verify(sale string, order []byte, l *Link, now time.Time) (Verdict, bool) {
	keys := k.current()
	switch {
	case keys.open:
		return Verdict{}, true
	case len(l.Signature) == 0:
		return RefuseFor(LinkUnsigned), false
	case string(l.Version) != linkVersion:
		return RefuseFor(LinkVersion), false
	}
	named := keys.byID[string(l.KeyID)]
	if named == nil {
		return RefuseFor(KeyUnknown), false
	}
	var given [sha256.Size]byte
	if base64.RawURLEncoding.DecodedLen(len(l.Signature)) != len(given) {
		return RefuseFor(SignatureMalformed), false
	}
	if n, err := base64.RawURLEncoding.Strict().Decode(given[:], l.Signature); err != nil || n != len(given) {
		return RefuseFor(SignatureMalformed), false
	}
	if !named.signed(given[:], sale, order, l) {
		return RefuseFor(keys.mismatch(named, given[:], sale, order, l)), false
	}
	if !named.proven.Load() {
		named.proven.Store(true)
	}
	expires, ok := ParseDigits(l.Expires)
	switch {
	case !ok:
		return Malformed("exp", "must be seconds since 1970"), false
	case now.Unix() >= expires:
		return Refuse(ExpiredLink), false
	}
	return Verdict{}, true
}

// signed reports whether this key has made the signature of the link.
func (k *key) signed(signature []byte, sale string, order []byte, l *Link) bool {
	m := k.macs.Get().(*mac)
	defer k.macs.Put(m)
	return hmac.Equal(m.signature(sale, order, l), signature)
}

// mismatch returns the likeliest cause of a wrong signature. It looks the same for another order, a
// changed value and another key; but if the shop had another key, none of its links would ever have
// passed.
func (k keySet) mismatch(named *key, signature []byte, sale string, order []byte, l *Link) Cause {
	for _, other := range k.byID {
		if other != named && other.signed(signature, sale, order, l) {
			return KeyMixedUp
		}
	}
	if !named.proven.Load() {
		return KeyUnproven
	}
	return LinkAltered
}

// ParseDigits reads a whole number without a sign or a leading zero, of at most 13 digits, and
// reports whether b is one.
func ParseDigits(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 13 || b[0] == '0' && len(b) > 1 {
		return 0, false
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// Offer is what a link offers: units of a sale, for one order.
type Offer struct {
	Sale, Items, Buyer, Order string
	Amount                    Amount
	Expires                   time.Time
}

// URL returns a confirm_url for the offer, below a base such as "https://gate.example.com". It
// returns an error if the offer could not be valid in any sale. It does not know the sale, so it
// does not check whether its SKUs exist.
func (k *Keys) URL(base string, o Offer) (string, error) {
	if err := CheckBaseURL(base); err != nil {
		return "", err
	}
	first := k.current().first
	switch {
	case first == nil:
		return "", errors.New("there is no key to sign with")
	case !ValidName(o.Sale):
		return "", fmt.Errorf("sale name %q: use 1 to %d of A-Z a-z 0-9 _ . -", o.Sale, MaxName)
	case !ValidID(o.Order):
		return "", fmt.Errorf("order %q: %s", o.Order, WantID)
	case o.Buyer != "" && !ValidID(o.Buyer):
		return "", fmt.Errorf("buyer %q: %s", o.Buyer, WantID)
	case o.Amount.Known && (o.Amount.Value < 0 || o.Amount.Value > MaxAmount):
		return "", fmt.Errorf("amount %d: must be between 0 and %d", o.Amount.Value, int64(MaxAmount))
	case o.Expires.Unix() <= 0 || o.Expires.Unix() > maxExpiry:
		return "", errors.New("a link needs the time when it expires")
	}
	if err := checkItems(o.Items); err != nil {
		return "", err
	}
	l := Link{
		Items: []byte(o.Items), Buyer: []byte(o.Buyer), Version: []byte(linkVersion),
		Expires: strconv.AppendInt(nil, o.Expires.Unix(), 10),
	}
	query := "?items=" + o.Items
	if o.Buyer != "" {
		query += "&buyer=" + url.QueryEscape(o.Buyer)
	}
	if o.Amount.Known {
		l.Amount = strconv.AppendInt(nil, o.Amount.Value, 10)
		query += "&amount=" + string(l.Amount)
	}
	query += "&exp=" + string(l.Expires) + "&v=" + linkVersion + "&kid=" + first.id
	signature := first.sign(nil, o.Sale, []byte(o.Order), &l)
	return strings.TrimSuffix(base, "/") + "/confirm/" + o.Sale + query + "&sig=" + string(signature), nil
}

// CheckBaseURL returns what is wrong with the part of a link before /confirm, or nil.
func CheckBaseURL(base string) error {
	u, err := url.Parse(base)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil ||
		strings.ContainsAny(base, "?#") {
		return fmt.Errorf("base URL %q: write it as https://HOST", base)
	}
	if slices.Contains(strings.Split(u.Path, "/"), "confirm") {
		return fmt.Errorf("base URL %q: leave out /confirm and what is behind it: a link adds /confirm/SALE by itself",
			base)
	}
	return nil
}

// checkItems checks the form of a link's items, whatever SKUs the sale has.
func checkItems(items string) error {
	seen := map[string]bool{}
	for item := range strings.SplitSeq(items, ",") {
		name, _, ok := parseItem([]byte(item))
		if !ok || seen[string(name)] || len(seen) == MaxLines {
			return fmt.Errorf("items %q: %s", items, itemsForm)
		}
		seen[string(name)] = true
	}
	return nil
}
