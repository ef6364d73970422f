package web

import (
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"

	"github.com/flashgate/flashgate/gate"
)

// A sale that is made and deleted over and over leaves nothing behind. The test is not
// parallel, for it weighs the heap.
func TestDeletedSalesLeaveNoMemoryBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(20 * time.Second) }) // until fasthttp's sweeper of idle workers has ended
		var gone atomic.Bool
		s := &store{decide: always(gate.SoldOut), gone: &gone}
		ln := fasthttputil.NewInmemoryListener()
		public := serve(t, s, nil, newMetrics(), ln)
		client := fasthttp.HostClient{Addr: "gate", Dial: func(string) (net.Conn, error) { return ln.Dial() }}
		t.Cleanup(client.CloseIdleConnections)
		confirm := func(want int) {
			t.Helper()
			request, response := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
			defer fasthttp.ReleaseRequest(request)
			defer fasthttp.ReleaseResponse(response)
			request.SetRequestURI("http://gate/confirm/race?items=full")
			request.Header.SetMethod(fasthttp.MethodPost)
			request.Header.SetContentType("application/json")
			request.SetBodyString(`{"imp_uid":"imp_1","merchant_uid":"ORD1","amount":1000}`)
			if err := client.Do(request, response); err != nil {
				t.Fatal(err)
			}
			if got := response.StatusCode(); got != want {
				t.Fatalf("got %d %s, want %d", got, response.Body(), want)
			}
		}
		turns := func(n int) {
			for range n {
				gone.Store(false)
				time.Sleep(time.Second)
				confirm(fasthttp.StatusConflict)
				gone.Store(true)
				time.Sleep(time.Second)
				confirm(fasthttp.StatusNotFound)
			}
		}
		used := func() int64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return int64(m.HeapInuse)
		}
		turns(100)
		before := used()
		turns(2_000)
		if grown := used() - before; grown > 4<<20 {
			t.Errorf("2,000 deleted sales hold %d kB", grown>>10)
		}
		if known := *public.fronts.known.Load(); len(known) > 1 {
			t.Errorf("%d fronts are kept", len(known))
		}
	})
}
