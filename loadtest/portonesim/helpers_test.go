package portonesim_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flashgate/flashgate/gate/testkit"
	"github.com/flashgate/flashgate/loadtest/portonesim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const webhookSecret = "whsec_Zm9yIHRlc3RzIG9ubHksIG5vIHNlY3JldCBhdCBhbGw="

// patience is how long something may take to come about.
const patience = 30 * time.Second

// message is a call that a shop has received.
type message struct {
	kind, contentType, body string // kind is confirm or webhook
	header                  http.Header
}

// shop is a shop's server: it keeps what it is asked, and answers 200 unless told
// otherwise.
type shop struct {
	*httptest.Server
	mu       sync.Mutex
	messages []message
	answer   func(w http.ResponseWriter, m message)
}

func newShop(t *testing.T, answer func(http.ResponseWriter, message)) *shop {
	t.Helper()
	s := &shop{answer: answer}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		m := message{strings.TrimPrefix(r.URL.Path, "/"), r.Header.Get("Content-Type"), string(body), r.Header}
		s.mu.Lock()
		s.messages = append(s.messages, m)
		s.mu.Unlock()
		if s.answer != nil {
			s.answer(w, m)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// got returns the messages of a kind so far.
func (s *shop) got(kind string) (list []message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.messages {
		if m.kind == kind {
			list = append(list, m)
		}
	}
	return list
}

// order is a payment of 1,000 won at this shop.
func (s *shop) order(id, body string) portonesim.Order {
	return portonesim.Order{
		ID: id, Body: body, Amount: 1000, ConfirmURL: s.URL + "/confirm",
		NoticeURL: s.URL + "/webhook",
	}
}

// world is a simulator and its REST APIs.
type world struct {
	*portonesim.Sim
	clock *testkit.Clock
	t     *testing.T
	url   string
	token string
}

func newWorld(t *testing.T, change ...func(*portonesim.Options)) *world {
	t.Helper()
	c := testkit.NewClock(time.Now().Truncate(time.Second))
	opt := portonesim.Options{
		V1Key: "key", V1Secret: "secret", V2Secret: "secret2", WebhookSecret: webhookSecret, Seed: 7,
		Backoff: []time.Duration{time.Millisecond, time.Millisecond},
	}
	for _, f := range change {
		f(&opt)
	}
	w := &world{Sim: portonesim.New(portonesim.Deps{Now: c.Now}, opt), clock: c, t: t}
	server := httptest.NewServer(w.Handler())
	w.url = server.URL
	t.Cleanup(func() {
		server.Close()
		w.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return w
}

func plan(p portonesim.Plan) func(*portonesim.Options) {
	return func(o *portonesim.Options) { o.Plan = p }
}

// call returns the status and the JSON of an answer. The authorization may be
// "v1", "v2", or what is sent as it is; the body may be JSON or a form.
func (w *world) call(authorization, method, path, body string, header ...string) (int, map[string]any) {
	w.t.Helper()
	request, err := http.NewRequest(method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	switch authorization {
	case "v1":
		if w.token == "" {
			w.token = w.newToken()
		}
		authorization = "Bearer " + w.token
	case "v2":
		authorization = "PortOne secret2"
	}
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	request.Header.Set("Content-Type", "application/json")
	if body != "" && body[0] != '{' {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	var answer map[string]any
	if json.Unmarshal(text, &answer) != nil {
		answer = map[string]any{"text": string(text)}
	}
	return response.StatusCode, answer
}

// status returns the status of V2's answer to a GET, 0 where there is none.
func (w *world) status(path string) int {
	w.t.Helper()
	request, err := http.NewRequest("GET", w.url+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header.Set("Authorization", "PortOne secret2")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	return response.StatusCode
}

func (w *world) newToken() string {
	w.t.Helper()
	status, answer := w.call("", "POST", "/users/getToken", `{"imp_key":"key","imp_secret":"secret"}`)
	if status != http.StatusOK {
		w.t.Fatalf("no token: %d %v", status, answer)
	}
	return at(answer, "response.access_token").(string)
}

// pay makes a payment that nobody is asked about.
func (w *world) pay(id, body string, change ...func(*portonesim.Order)) portonesim.Result {
	w.t.Helper()
	o := portonesim.Order{ID: id, Body: body, Amount: 1000}
	for _, f := range change {
		f(&o)
	}
	return w.Pay(w.t.Context(), o)
}

// only returns the one payment that was made.
func (w *world) only() portonesim.Payment {
	w.t.Helper()
	if all := w.Payments(); len(all) == 1 {
		return all[0]
	}
	w.t.Fatalf("there are the payments %+v, want one", w.Payments())
	return portonesim.Payment{}
}

// at returns what is at a path such as "response.list" of a JSON object.
func at(object map[string]any, path string) any {
	var found any = object
	for name := range strings.SplitSeq(path, ".") {
		inner, _ := found.(map[string]any)
		found = inner[name]
	}
	return found
}

func query(body string) string { return "requestBody=" + url.QueryEscape(body) }

// fields returns the members of a message, those in data of V2's among them.
func fields(t *testing.T, m message) url.Values {
	t.Helper()
	if m.contentType == "application/x-www-form-urlencoded" {
		values, err := url.ParseQuery(m.body)
		if err != nil {
			t.Fatal(err)
		}
		return values
	}
	var body map[string]any
	if err := json.Unmarshal([]byte(m.body), &body); err != nil {
		t.Fatalf("%s: %v", m.body, err)
	}
	if data, ok := body["data"].(map[string]any); ok {
		maps.Copy(body, data)
	}
	values := url.Values{}
	for name, value := range body {
		values.Set(name, fmt.Sprint(value))
	}
	return values
}
