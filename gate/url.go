package gate

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
)

// CheckURL says what is wrong with a URL of the shop's own server.
func CheckURL(text string) error {
	_, err := parseURL(text)
	return err
}

// CheckLastWordURL says what is wrong with a URL of the shop's that payments hang on:
// as CheckURL, and what is not encrypted stays on this machine.
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

// IsLoopback reports whether a host is this machine itself.
func IsLoopback(host string) bool {
	addr, _ := netip.ParseAddr(host) // what is none is the zero address, which is no loopback
	return host == "localhost" || addr.IsLoopback()
}

// hidden stands where a URL's secrets were.
const hidden = "…"

// HideSecrets returns a URL of the shop's as it may be logged and shown to all:
// without its query, in which many shops expect a token.
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
