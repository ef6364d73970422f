package cli

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/flashgate/flashgate/gate/redistest"
)

const eventToken = "0123456789abcdef-viewer"

// subscriber reads the events of a sale from a gate, over TLS.
type subscriber struct {
	client http.Client
	gate   *process
	lastID string
	heard  []string // the data of each entry of the ledger
}

// listen connects, and calls each with the name of each event until it returns false or the stream
// ends.
func (s *subscriber) listen(ctx context.Context, each func(event string) bool) error {
	request, err := http.NewRequestWithContext(ctx, "GET", "https://"+s.gate.admin+"/v1/sales/race/events?since=0", nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+eventToken)
	if s.lastID != "" {
		request.Header.Set("Last-Event-ID", s.lastID)
	}
	answer, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the answer is %s", answer.Status)
	}
	event, data := "", ""
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			s.lastID = value
		case "event":
			event = value
		case "data":
			data = value
		case "":
			if data == "" {
				continue // a comment, or the time to come back after
			}
			if event == "" {
				s.heard = append(s.heard, data)
			}
			if !each(event) {
				return nil
			}
			event, data = "", ""
		}
	}
	return lines.Err()
}

// However often the connection is lost, who resumes hears of each change once, from a gate with a
// mirror and from one without, and the same that the command prints.
func TestEachChangeIsHeardOnceOverLostConnections(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{"mirror": nil, "no mirror": {"--no-mirror"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const orders = 200
			dir := t.TempDir()
			cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
			roots := install(t, redistest.NewAuthority(t), cert, key)
			redis := redistest.Start(t).URL()
			p := serveSale(t, redis, openSale("race", orders), append(args,
				"--admin-tls-cert", cert, "--admin-tls-key", key, "--admin-read-token", eventToken)...)
			s := newSubscriber(t, p, roots)

			var buying sync.WaitGroup
			for buyer := range 4 {
				buying.Go(func() {
					c := newCaller(t)
					for i := range orders / 4 {
						if a := c.confirm(p.listen, "race", fmt.Sprintf("order-%d-%d", buyer, i)); a.code != "held" {
							t.Errorf("%+v", a)
						}
					}
				})
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			connections := 0
			until := func(enough func() bool) {
				t.Helper()
				for ; !enough(); connections++ {
					left := 1 + connections*7%13
					err := s.listen(ctx, func(event string) bool {
						if event != "" {
							t.Errorf("comes the event %s", event)
						}
						left--
						return left > 0 && !enough()
					})
					if err != nil {
						t.Fatalf("on connection %d, after %d entries: %v", connections, len(s.heard), err)
					}
				}
			}
			until(func() bool { return len(s.heard) > 20 })
			buying.Wait()
			command(t, "pause", "--redis", redis, "race")
			ledger := strings.Split(strings.TrimSpace(command(t, "ledger", "--redis", redis, "race")), "\n")
			until(func() bool { return len(s.heard) >= len(ledger) })
			if !slices.Equal(s.heard, ledger) {
				t.Errorf("the ledger has %d entries, and %d were heard, the last of them %s", len(ledger), len(s.heard),
					s.heard[len(s.heard)-1])
			}
			if connections < 5 {
				t.Errorf("there were %d connections", connections)
			}

			// Who still listens when the gate ends is told so, and keeps no gate from ending.
			ended := make(chan error, 1)
			listening := make(chan struct{})
			go func() {
				ended <- s.listen(ctx, func(event string) bool {
					if event == "end" {
						return false
					}
					close(listening)
					return true
				})
			}()
			command(t, "resume", "--redis", redis, "race")
			<-listening
			p.stop(t)
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

func newSubscriber(t *testing.T, p *process, roots *x509.CertPool) *subscriber {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	return &subscriber{client: http.Client{Transport: transport}, gate: p}
}
