package gate

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

func printable[T string | []byte](s T) bool {
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if c < ' ' || c > '~' {
				return false
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(string(s[i:min(len(s), i+utf8.UTFMax)]))
		if r == utf8.RuneError && size == 1 || !unicode.IsPrint(r) {
			return false
		}
		i += size
	}
	return true
}

// Strange names the first character of a text that is not allowed, such as "U+00A0 at column 12";
// it returns "" if all are allowed. It shows nothing else of the text, which may be a secret.
// Columns count characters, from 1.
func Strange(text string, allowed func(rune) bool) string {
	for column := 1; text != ""; column++ {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			return fmt.Sprintf("the byte 0x%02X at column %d", text[0], column)
		case !allowed(r):
			return fmt.Sprintf("%U at column %d", r, column)
		}
		text = text[size:]
	}
	return ""
}

// Unprintable names, as Strange does, the first character that is neither visible nor a plain
// space: no id, message or setting may have one.
func Unprintable(text string) string { return Strange(text, unicode.IsPrint) }

// Visible reports whether a character is visible ASCII, as in tokens and addresses.
func Visible(r rune) bool { return '!' <= r && r <= '~' }

// Items splits a setting at its commas, and trims each part.
func Items(text string) []string {
	items := strings.Split(text, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}

// minWebhookSecret is the shortest secret of Standard Webhooks that is taken, in bytes, so that one
// that was pasted in part does not pass. PortOne's have 32.
const minWebhookSecret = 16

// WebhookSecrets reads secrets of Standard Webhooks, "whsec_BASE64" with commas between, and
// returns their bytes. Its errors begin with which, say in the words of from where to get a secret,
// and never show any.
func WebhookSecrets(text, which, from string) ([][]byte, error) {
	var secrets [][]byte
	for i, item := range Items(text) {
		encoded, found := strings.CutPrefix(item, "whsec_")
		if strange := Strange(item, Visible); strange != "" {
			return nil, fmt.Errorf("%s secret %d has %s: %s", which, i+1, strange, from)
		}
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if !found || err != nil || len(raw) < minWebhookSecret {
			return nil, fmt.Errorf("%s secret %d is not whsec_ and base64 of at least %d bytes: %s", which, i+1,
				minWebhookSecret, from)
		}
		secrets = append(secrets, raw)
	}
	return secrets, nil
}
