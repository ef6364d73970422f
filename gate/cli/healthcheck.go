package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// healthTimeout bounds the whole question: a gate that is well answers within
// milliseconds.
const healthTimeout = 2 * time.Second

// healthcheckCommand asks a gate how it is, where there is no other program to ask
// with, such as in its container.
type healthcheckCommand struct {
	URL string `default:"http://127.0.0.1:9090/readyz" placeholder:"URL" help:"What to ask: /readyz or /healthz of either listener (${default})."`
}

// Run fails unless the answer is 200.
func (c *healthcheckCommand) Run(ctx context.Context, env *environment) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL, nil)
	if err != nil {
		return fmt.Errorf("--url: %w", err)
	}
	// No proxy stands between a gate and this, and no answer leads elsewhere.
	answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		return fmt.Errorf("%s does not answer: %w", c.URL, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
	if err != nil {
		return fmt.Errorf("%s does not answer to the end: %w", c.URL, err)
	}
	said := strings.TrimSpace(string(body))
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s: %s", c.URL, answer.Status, said)
	}
	fmt.Fprintln(env.out, said)
	return nil
}
