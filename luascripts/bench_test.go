package luascripts_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/luascripts"
)

// BenchmarkConfirm measures the script alone, selling to new orders, by the size
// of its batch: Redis' own time for a decision, without the way there and back.
func BenchmarkConfirm(b *testing.B) {
	client := connect(b, redistest.Start(b).Addr(), "")
	var keys []string
	for _, name := range keyNames() {
		keys = append(keys, fullName("bench", name))
	}
	create, err := parseCall("create now= opens=0 closes=9000000000000 hold=300000 per_buyer=2 full:1000000000", nil)
	if err != nil {
		b.Fatal(err)
	}
	if err := client.Eval(b.Context(), create.script.Source, keys, create.args...).Err(); err != nil {
		b.Fatal(err)
	}
	if err := client.ScriptLoad(b.Context(), luascripts.Confirm.Source).Err(); err != nil {
		b.Fatal(err)
	}
	sold := 0
	for _, size := range []int{1, 8, 48, 256} {
		b.Run(fmt.Sprint("batch-", size), func(b *testing.B) {
			want := strings.Repeat("H", size)
			before := scriptMicros(b, client)
			for b.Loop() {
				confirms := make([]string, size)
				for i := range confirms {
					sold++
					confirms[i] = fmt.Sprintf("ORD2026%010d imp_44%010d u%010d full:1 110000", sold, sold, sold)
				}
				batch, err := parseBatch(confirms)
				if err != nil {
					b.Fatal(err)
				}
				args := append([]any{clock(""), "gate", 20_000, 20_000}, batch...)
				reply, err := client.EvalSha(b.Context(), luascripts.Confirm.SHA1, keys[:5], args...).Slice()
				if err != nil || reply[0] != want {
					b.Fatalf("got %v, %v", reply, err)
				}
			}
			b.ReportMetric(0, "ns/op") // most of it is this benchmark's own
			b.ReportMetric((scriptMicros(b, client)-before)/float64(b.N*size), "script-µs/decision")
		})
	}
}

// scriptMicros returns the microseconds that EVALSHA has taken so far.
func scriptMicros(b *testing.B, client *redis.Client) float64 {
	b.Helper()
	info, err := client.Info(b.Context(), "commandstats").Result()
	if err != nil {
		b.Fatal(err)
	}
	found := regexp.MustCompile(`cmdstat_evalsha:calls=\d+,usec=(\d+)`).FindStringSubmatch(info)
	if found == nil {
		return 0 // before the first call
	}
	micros, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		b.Fatal(err)
	}
	return micros
}
