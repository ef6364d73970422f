package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/testkit"
)

func TestDrainLosesNoAnswer(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	const wait = time.Second
	gate := serveSale(t, redis.URL(), openSale("race", 1_000_000), "--drain-wait", wait.String())
	load := startLoad(t, "race", 16, gate)
	load.await(t, 200, "held")

	signalled := time.Now()
	gate.signal(t, syscall.SIGTERM)
	await(t, "/readyz to say so", func() error {
		if status, _ := gate.get(gate.listen, "/readyz"); status != http.StatusServiceUnavailable {
			return fmt.Errorf("it answers %d", status)
		}
		return nil
	})
	if took := time.Since(signalled); took > wait/2 {
		t.Errorf("the gate was ready for %v after SIGTERM", took)
	}
	if status, _ := gate.get(gate.admin, "/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("the admin listener's /readyz answers %d", status)
	}
	if status, _ := gate.get(gate.listen, "/healthz"); status != http.StatusOK {
		t.Errorf("/healthz answers %d while draining", status)
	}
	draining := newCaller(t).confirm(gate.listen, "race", "while-draining")
	if draining.status != http.StatusOK {
		t.Errorf("while draining: %+v", draining)
	}
	if status := gate.wait(t); status != 0 {
		t.Errorf("the drained gate ended with status %d", status)
	}
	ended := time.Now()
	answers := append(load.stop(), draining)

	if took := ended.Sub(signalled); took < wait {
		t.Errorf("the gate answered for %v after SIGTERM, not for %v", took, wait)
	}
	held := 0
	for _, a := range answers {
		switch {
		case a.err == nil && a.code == "held":
			held++
		case a.err == nil:
			t.Errorf("%+v", a)
		case !errors.Is(a.err, syscall.ECONNREFUSED) && !a.reset():
			t.Errorf("an answer was cut off: %v", a.err)
		case a.sent.Add(a.took).Before(signalled.Add(wait)):
			t.Errorf("a confirm was turned away %v after SIGTERM: %v", a.sent.Add(a.took).Sub(signalled), a.err)
		}
	}
	checkRecorded(t, redis, "race", answers)
	t.Logf("%d held over the drain", held)
}

// What waits for Redis when the listener closes is still answered, and what has
// not even been read.
func TestDrainWaitsForWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	gate := serveSale(t, redis.URL(), openSale("race", 10), "--redis-timeout", "1s")
	waiting, halfSent := dial(t, gate), dial(t, gate)
	request := rawConfirm("race", "order-2")
	half := len(request) - 10
	fmt.Fprint(halfSent, request[:half])
	redis.Stop()
	fmt.Fprint(waiting, rawConfirm("race", "order-1"))
	await(t, "the confirm to be under way", func() error {
		if n := metric(t, gate, `flashgate_batch_size_count{sale="race"}`); n != "1" {
			return fmt.Errorf("%s batches", n)
		}
		return nil
	})
	gate.signal(t, syscall.SIGTERM)
	await(t, "the listener to close", func() error { return refusesConnections(gate.listen) })
	redis.Continue()
	for _, conn := range []net.Conn{waiting, halfSent} {
		if conn == halfSent {
			fmt.Fprint(conn, request[half:])
		}
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("no answer: %v", err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK || string(body) != `{"code":"held"}` {
			t.Errorf("the answer is %d %s, %v", response.StatusCode, body, err)
		}
	}
	if status := gate.wait(t); status != 0 {
		t.Errorf("the gate ended with status %d", status)
	}
	checkRecorded(t, redis, "race", []answer{{order: "order-1", status: 200}, {order: "order-2", status: 200}})
}

func dial(t *testing.T, gate *process) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", gate.listen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func rawConfirm(sale, order string) string {
	body := v1(order, "imp_"+order)
	return fmt.Sprintf("POST /confirm/%s?items=unit HTTP/1.1\r\nHost: gate\r\nContent-Type: "+
		"application/json\r\nContent-Length: %d\r\n\r\n%s",
		sale, len(body), body)
}

// A client that keeps its connection is told to leave it, so that no request is
// on its way into a connection that is being closed.
func TestDrainingGateKeepsNoConnections(t *testing.T) {
	t.Parallel()
	gate := startGate(t, "--drain-wait", "1m")
	conn := dial(t, gate)
	answers := bufio.NewReader(conn)
	for _, draining := range []bool{false, true} {
		if draining {
			gate.signal(t, syscall.SIGTERM)
			await(t, "the drain", func() error {
				if status, _ := gate.get(gate.listen, "/readyz"); status != http.StatusServiceUnavailable {
					return fmt.Errorf("/readyz answers %d", status)
				}
				return nil
			})
		}
		fmt.Fprint(conn, rawConfirm("nowhere", "order-1"))
		response, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			t.Fatal(err)
		}
		if response.Close != draining {
			t.Errorf("draining %v: the answer says Connection: close: %v", draining, response.Close)
		}
	}
}

func TestSecondSignalEndsItAtOnce(t *testing.T) {
	t.Parallel()
	gate := startGate(t, "--drain-wait", "1m")
	gate.signal(t, syscall.SIGTERM)
	await(t, "the drain", func() error {
		_, draining := gate.logged("draining: not ready, but still answering; a second signal " + "ends it at once")
		if !draining {
			return errors.New("it is not draining")
		}
		return nil
	})
	if !gate.Running() {
		t.Fatal("the first signal ended it")
	}
	gate.signal(t, syscall.SIGTERM)
	if status := gate.wait(t); status == 0 {
		t.Error("a gate that was cut off says that all was well")
	}
}

func TestDrainNeedsNoRedis(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	gate := serveSale(t, redis.URL(), openSale("race", 10))
	redis.Stop()
	start := time.Now()
	gate.stop(t)
	if took := time.Since(start); took > 8*time.Second {
		t.Errorf("ending took %v while Redis was silent", took)
	}
}

// It runs alone, before the tests that run in parallel.
func TestServeLeavesNothingBehind(t *testing.T) {
	already := goleak.IgnoreCurrent()
	redis := redistest.Start(t)
	for _, address := range []string{"", redis.URL()} {
		if address != "" {
			applySale(t, address, openSale("race", 10))
		}
		ctx, stop := context.WithCancel(t.Context())
		var log journal
		c := serveCommand{
			Listen: "127.0.0.1:0", adminFlag: adminFlag{AdminListen: "127.0.0.1:0"}, Redis: address,
			AllowUnsigned: true, Name: "gate",
			Sales: testkit.SaleFile(t, openSale("race", 10)), Language: "ko",
			portoneFlag:  portoneFlag{FirstLook: time.Second},
			RedisTimeout: 500 * time.Millisecond, Queue: 10,
			RefusalLog: "-", LogFormat: "json", LogLevel: slog.LevelInfo,
		}
		var refusals bytes.Buffer
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx, &environment{out: &refusals, err: &log}) }()
		p := &process{}
		await(t, "the gate to sell", func() error {
			serving, ok := logged(log.String(), "serving")
			if !ok {
				return errors.New("it is not serving")
			}
			p.listen = fmt.Sprint(serving["listen"])
			caller := newCaller(t)
			defer caller.CloseIdleConnections()
			if a := caller.confirm(p.listen, "race", "order-1"); a.code != "held" {
				return fmt.Errorf("the answer is %+v", a)
			}
			return nil
		})
		caller := newCaller(t)
		caller.post(p.listen, "/confirm/race?items=lamp", "application/json", v1("order-2", "i"))
		caller.CloseIdleConnections()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if !strings.Contains(refusals.String(),
			`"order":"order-2","attempt":"i","items":"lamp","amount":1000,"code":"unknown_sku","sku":"lamp"}`) {
			t.Errorf("the refusals on standard output are %s", refusals.String())
		}
	}
	redis.Kill()
	// fasthttp's pool of workers looks only every ten seconds whether it has been stopped.
	pool := goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2")
	goleak.VerifyNone(t, already, pool)
}
