package portone_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate/portone"
	"github.com/flashgate/flashgate/gate/redistest"
)

// PortOne's servers are not at hand, but libraries that others wrote are: npm's
// standardwebhooks signs as PortOne does, and PortOne's own SDK for shops
// verifies. Whatever one of them signs or verifies, the gate must read alike.

const modules = "testdata/npm"

// message is a call of V2 with its headers.
type message struct {
	Secret    string `json:"secret"`
	ID        string `json:"id"`
	Timestamp int64  `json:"timestamp"`
	Body      string `json:"body"`
	Signature string `json:"signature,omitempty"`
}

// verify returns nil where a gate with the message's secret takes it.
func (m message) verify(s *portone.Secrets) error {
	return refusal(s.Verify([]byte(m.Body), m.ID, strconv.FormatInt(m.Timestamp, 10), m.Signature))
}

// unsigned returns V2's confirm calls and webhooks, of now.
func unsigned(t *testing.T) (messages []message) {
	t.Helper()
	paths, err := filepath.Glob("testdata/v2-*.json")
	if err != nil || len(paths) < 5 {
		t.Fatalf("V2's bodies in testdata are %v: %v", paths, err)
	}
	bodies := []string{`{"type":"Transaction.Paid","data":{"paymentId":"주문 🎫"}}`}
	for _, path := range paths {
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, string(body))
	}
	for _, body := range bodies {
		messages = append(messages, message{
			Secret: secret('n'), ID: "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", Timestamp: time.Now().Unix(), Body: body,
		})
	}
	return messages
}

// node runs one of the programs in testdata/npm, which makes an answer of each
// message.
func node[T, M any](t *testing.T, program string, messages []M, args ...string) (answers []T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts Node")
	}
	path := redistest.Require(t, "node")
	redistest.RequireModules(t, modules)
	input, err := json.Marshal(messages)
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), path, append([]string{filepath.Join(modules, program)}, args...)...)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, &stderr)
	}
	if err := json.Unmarshal(out, &answers); err != nil || len(answers) != len(messages) {
		t.Fatalf("%s: %d answers to %d messages, %v", program, len(answers), len(messages), err)
	}
	return answers
}

// signedByNode returns the messages with the signatures of npm's standardwebhooks.
func signedByNode(t *testing.T, messages []message) []message {
	t.Helper()
	for i, signature := range node[string](t, "sign.mjs", messages) {
		messages[i].Signature = signature
	}
	return messages
}

func TestWhatNodeSignsIsVerifiedAndAChangedByteIsNot(t *testing.T) {
	t.Parallel()
	s := secrets(t, secret('o')+","+secret('n'))
	for _, m := range signedByNode(t, unsigned(t)) {
		if err := m.verify(s); err != nil {
			t.Errorf("%s: %v", m.Body, err)
		}
		timestamp := strconv.FormatInt(m.Timestamp, 10)
		f := func(part, text string, verify func(changed string) error) {
			for i := range len(text) {
				for _, bit := range []byte{1, 0x20} {
					changed := text[:i] + string([]byte{text[i] ^ bit}) + text[i+1:]
					if verify(changed) == nil {
						t.Errorf("%s: verified with the %s %q", m.Body, part, changed)
					}
				}
			}
		}
		f("body", m.Body, func(x string) error { return refusal(s.Verify([]byte(x), m.ID, timestamp, m.Signature)) })
		f("id", m.ID, func(x string) error { return refusal(s.Verify([]byte(m.Body), x, timestamp, m.Signature)) })
		f("timestamp", timestamp,
			func(x string) error { return refusal(s.Verify([]byte(m.Body), m.ID, x, m.Signature)) })
		f("signature", m.Signature,
			func(x string) error { return refusal(s.Verify([]byte(m.Body), m.ID, timestamp, x)) })
	}
}

func TestTheGateAndPortOnesSDKVerifyTheSame(t *testing.T) {
	t.Parallel()
	verified := signedByNode(t, unsigned(t))
	for _, m := range unsigned(t) {
		m.ID, _, m.Signature = signed(t, m.Secret, m.Body, time.Unix(m.Timestamp, 0))
		verified = append(verified, m)
	}
	var messages []message
	for _, m := range verified {
		both := m
		both.Signature = "v1,AAAA " + m.Signature
		messages = append(messages, m, both)
		for _, change := range []func(*message){
			func(m *message) { m.Body = strings.Replace(m.Body, `"`, `'`, 1) },
			func(m *message) { m.Body += " " },
			func(m *message) { m.ID += "x" },
			func(m *message) { m.ID = "" },
			func(m *message) { m.Timestamp++ },
			func(m *message) { m.Timestamp -= 600 },
			func(m *message) { m.Timestamp += 600 },
			func(m *message) { m.Signature = strings.ToLower(m.Signature) },
			func(m *message) { m.Signature = "v2" + m.Signature[2:] },
			func(m *message) { m.Signature = "" },
			func(m *message) { m.Secret = secret('x') },
		} {
			changed := m
			change(&changed)
			messages = append(messages, changed)
		}
	}
	passed := 0
	for i, why := range node[*string](t, "verify.mjs", messages) {
		m := messages[i]
		err := m.verify(secrets(t, m.Secret))
		if (why == nil) != (err == nil) {
			t.Errorf("%+v: the SDK says %v, the gate %v", m, why, err)
		}
		if err == nil {
			passed++
		}
	}
	if want := 2 * len(verified); passed != want {
		t.Errorf("%d of %d messages are verified, want %d", passed, len(messages), want)
	}
}
