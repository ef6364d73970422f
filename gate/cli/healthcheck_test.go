package cli

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHealthIsWhatTheGateSays(t *testing.T) {
	t.Parallel()
	f := func(status int, says, want string) {
		t.Helper()
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/") // is not followed
			w.WriteHeader(status)
			fmt.Fprintln(w, says)
		}))
		defer server.Close()
		var out bytes.Buffer
		got := "nil"
		if err := (&healthcheckCommand{URL: server.URL}).Run(t.Context(), &environment{out: &out}); err != nil {
			got = strings.TrimPrefix(err.Error(), server.URL+" ")
		}
		if got += ", " + out.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}

	f(200, "ready", "nil, ready\n")
	f(503, "not ready", "answers 503 Service Unavailable: not ready, ")
	f(302, "elsewhere", "answers 302 Found: elsewhere, ")
	f(204, "", "answers 204 No Content: , ")
}

func TestHealthWaitsForNoGateThatHangs(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/half" {
			fmt.Fprint(w, "rea")
			w.(http.Flusher).Flush()
		}
		<-hang
	}))
	defer server.Close()
	defer close(hang)
	f := func(path, want string) {
		t.Helper()
		err := (&healthcheckCommand{URL: server.URL + path}).Run(t.Context(), &environment{out: &bytes.Buffer{}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}

	f("/", "does not answer: context deadline exceeded")
	f("/half", "does not answer to the end: context deadline exceeded")
}
