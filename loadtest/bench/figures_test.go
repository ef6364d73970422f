package bench

import (
	"context"
	"strings"
	"testing"
	"time"
)

func TestResultIsTheLastLineOfWrk(t *testing.T) {
	t.Parallel()
	const said = `Running 1s test @ http://127.0.0.1:8080
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.31ms    1.02ms   9.30ms   71.22%
  54321 requests in 1.00s, 8.00MB read

{"requests":54321,"duration_us":1002003,"p50_us":2310,"p99_us":6100,"p999_us":9300,"refused":7,"broken":3}
`
	got, err := parseResult([]byte(said))
	want := result{Requests: 54321, Duration: 1002003, P50: 2310, P99: 6100, P999: 9300, Refused: 7, Broken: 3}
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, said := range []string{"", "Running 1s test\n", `{"requests":0,"duration_us":1000000}`} {
		if r, err := parseResult([]byte(said)); err == nil {
			t.Errorf("%q: got %+v", said, r)
		}
	}
}

func TestRedisTellsItsCPUTime(t *testing.T) {
	t.Parallel()
	got, err := parseCPU("# CPU\r\nused_cpu_sys:1.250000\r\nused_cpu_user:0.500000\r\nused_cpu_sys_children:9.0\r\n")
	if err != nil || got != 1750*time.Millisecond {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := parseCPU("# CPU\r\nused_cpu_sys:1.25\r\n"); err == nil {
		t.Errorf("got %v", got)
	}
}

func TestMemoryIsWithoutWhatWaitsForReplicas(t *testing.T) {
	t.Parallel()
	f := func(info string, want int64) {
		t.Helper()
		if got, err := parseMemory(info); err != nil || got != want {
			t.Errorf("got %d, %v, want %d", got, err, want)
		}
	}
	f("used_memory:5000\r\nused_memory_human:5K\r\n", 5000)
	f("used_memory:5000\r\nmem_total_replication_buffers:1200\r\n", 3800)
	if got, err := parseMemory("used_memory_human:5K\r\n"); err == nil {
		t.Errorf("got %d", got)
	}
}

func TestCPUTimeIsReadFromStat(t *testing.T) {
	t.Parallel()
	got, err := parseStat("42 (redis ) 1 2) S 1 42 42 0 -1 4194560 900 0 0 0 123 45 0 0 20 0 5 0 8000 1 2 3")
	if err != nil || got != 1680*time.Millisecond {
		t.Errorf("got %v, %v", got, err)
	}
	for _, text := range []string{"", "42 (redis) S 1", "42 (redis) S 1 42 42 0 -1 4194560 900 0 0 0 x 45 0"} {
		if got, err := parseStat(text); err == nil {
			t.Errorf("%q: got %v", text, got)
		}
	}
}

func TestScriptTimeIsReadFromCommandStats(t *testing.T) {
	t.Parallel()
	const info = "# Commandstats\r\n" +
		"cmdstat_eval:calls=1,usec=90,usec_per_call=90.00,rejected_calls=0,failed_calls=0\r\n" +
		"cmdstat_evalsha:calls=1200,usec=4800,usec_per_call=4.00,rejected_calls=0,failed_calls=0\r\n"
	f := func(info string, want scriptCost) {
		t.Helper()
		if got, err := parseCommandStats(info); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	f(info, scriptCost{calls: 1200, micros: 4800})
	f("# Commandstats\r\n", scriptCost{})
	if got, err := parseCommandStats("cmdstat_evalsha:calls=many\r\n"); err == nil {
		t.Errorf("got %+v", got)
	}
}

func TestCountersAreReadFromMetrics(t *testing.T) {
	t.Parallel()
	const batches = `# TYPE flashgate_batch_size histogram
flashgate_batch_size_bucket{sale="bench",le="1"} 3
flashgate_batch_size_sum{sale="other"} 7
flashgate_batch_size_sum{sale="bench"} 1.234567e+06
flashgate_batch_size_count{sale="bench"} 20000
`
	f := func(text string, want counters) {
		t.Helper()
		if got, err := parseCounters(text); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	f(batches, counters{decided: 1_234_567, batches: 20_000})
	f(batches+`flashgate_confirms_total{outcome="held",sale="bench"} 1.234566e+06`,
		counters{1_234_566, 1_234_567, 20_000})
	if got, err := parseCounters("go_goroutines 8\n"); err == nil {
		t.Errorf("got %+v", got)
	}
}

func TestFiguresArePerRequestAndPerDecision(t *testing.T) {
	t.Parallel()
	trial := trial{
		wrk:    result{Requests: 1000, Duration: 500_000, P50: 10, P99: 20, P999: 30},
		before: observation{server: time.Second, script: scriptCost{calls: 5, micros: 100}},
		after: observation{
			server: time.Second + 12*time.Millisecond, redis: 3 * time.Millisecond,
			script: scriptCost{calls: 30, micros: 5100}, counters: counters{held: 1000, decided: 1000, batches: 20},
		},
		orders: 1000, memory: 350_000,
	}
	want := figures{
		Rate: 2000, P50: 10, P99: 20, P999: 30, ServerCPU: 12, RedisCPU: 3, CPU: 15, Script: 5, Batch: 50, Memory: 350,
		Requests: 1000, Orders: 1000,
	}
	if got := trial.figures(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	trial.after.counters = counters{} // of a server without batches each call is a decision
	if got := trial.figures(); got.Batch != 1 || got.Script != 200 {
		t.Errorf("got %+v", got)
	}
}

func TestAWrongAnswerFailsTheRun(t *testing.T) {
	t.Parallel()
	seller := subject{
		sells:  true,
		orders: func(context.Context, *world) (int, error) { return 0, nil },
		count:  func(context.Context, addresses) (counters, error) { return counters{}, nil },
	}
	refuser := seller
	refuser.sells = false
	f := func(s subject, wrk result, orders int, held int64, want string) {
		t.Helper()
		trial := trial{wrk: wrk, orders: orders, after: observation{counters: counters{held: held}}}
		err := trial.verify(s, load{Connections: 10})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%+v, %d orders, %d held: got %v, want %q", wrk, orders, held, err, want)
		}
	}
	f(seller, result{Requests: 100}, 100, 100, "")
	f(seller, result{Requests: 100}, 110, 110, "") // the client left before it saw the last answers
	f(seller, result{Requests: 100}, 111, 111, "the store has 111 orders")
	f(seller, result{Requests: 100}, 99, 99, "the store has 99 orders")
	f(seller, result{Requests: 100}, 105, 104, "the server answered 104 with 200")
	f(seller, result{Requests: 100, Refused: 1}, 99, 99, "99 of 100 requests were answered 200, not 100")
	f(seller, result{Requests: 100, Broken: 1}, 100, 100, "broke")
	f(refuser, result{Requests: 100, Refused: 100}, 0, 0, "")
	f(refuser, result{Requests: 100, Refused: 99}, 1, 1, "1 of 100 requests were answered 200, not 0")
	f(refuser, result{Requests: 100, Refused: 100}, 1, 1, "the store has 1 orders")
	f(subject{sells: true}, result{Requests: 100}, 0, 0, "")
}

func TestOrdersThatNobodyWasToldOfFailTheRun(t *testing.T) {
	t.Parallel()
	f := func(orders int, wrong bool) {
		t.Helper()
		if err := (streamResult{Accepted: 100, Failed: 5}).verify(orders); (err != nil) != wrong {
			t.Errorf("%d orders: got %v", orders, err)
		}
	}
	f(99, true)
	f(100, false)
	f(105, false)
	f(106, true)
}
