package shop_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/flashgate/flashgate/gate/shop"
)

func TestAWebhookIsPassedOnAsItCame(t *testing.T) {
	t.Parallel()
	status, got := 204, ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = r.Method + " " + r.URL.Path + " " + r.Header.Get("Webhook-Signature") + " " + string(body)
		if status == 302 {
			http.Redirect(w, r, "/elsewhere", status)
			return
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	f := shop.NewForwarder(server.URL + "/portone")
	forward := func(want string) {
		t.Helper()
		err := f.Forward(t.Context(), map[string]string{"Webhook-Signature": "v1,abc"}, []byte(`{"a":1}`))
		switch {
		case want == "" && err != nil:
			t.Error(err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("got %v, want %s", err, want)
		}
		if got != `POST /portone v1,abc {"a":1}` {
			t.Errorf("the shop was sent %s", got)
		}
	}
	forward("")
	for code, want := range map[int]string{500: "it answered 500", 404: "it answered 404", 302: "it answered 302"} {
		status = code
		forward(want)
	}
	server.Close()
	forward("pass a webhook on to the shop")
	err := f.Forward(t.Context(), nil, nil)
	if err == nil || strings.Contains(err.Error(), server.URL) {
		t.Errorf("the error shows the shop's URL, which may have a secret in it: %v", err)
	}
}
