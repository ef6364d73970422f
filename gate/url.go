package gate

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
)

// CheckURL returns what is wrong with a URL of the shop's own server, or nil.
func CheckURL(text string) error {
	_, err := parseURL(text)
	return err
}

// CheckLastWordURL returns what is wrong with a URL that payments depend on, or nil: as CheckURL
// does, and http is allowed only to this machine.
func CheckLastWordURL(text string) error {
	u, err := parseURL(text)
	if err == nil && u.Scheme != "https" && !IsLoopback(u.Hostname()) {
		err = errors.New("must be an https URL, or http on this machine (localhost, 127.0.0.1, [::1])")
	}
	return err
}

func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil ||
		u.Fragment != "" || len(text) > MaxMessage || !printable(text) {
		return nil, fmt.Errorf("must be an http or https URL without a password, of at most %d bytes", MaxMessage)
	}
	return u, nil
}

// IsLoopback reports whether a host is localhost or a loopback address.
func IsLoopback(host string) bool {
	addr, _ := netip.ParseAddr(host) // an unparsable host is not loopback
	return host == "localhost" || addr.IsLoopback()
}

// hidden stands where a URL's secrets were.
const hidden = "…"

// HideSecrets returns a URL of the shop as it may be logged and shown: without its query, because
// many shops put a token there.
func HideSecrets(text string) string {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return ""
	case err != nil || u.Host == "":
		return hidden
	}
	shown := u.Scheme + "://"
	if u.User != nil {
		shown += hidden + "@"
	}
	shown += u.Host + u.EscapedPath()
	if u.RawQuery != "" {
		shown += "?" + hidden
	}
	return shown
}
