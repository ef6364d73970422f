package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	"github.com/redis/go-redis/v9"
	"github.com/valyala/fasthttp"
)

// ServerCommand is the program's command that runs Serve with the arguments behind it.
const ServerCommand = "bench-server"

// The servers that Serve can be.
const (
	floorWord = "floor"
	peerWord  = "peer"
)

// Serve is a server that is measured, until ctx is done: NAME ADDR REDIS.
func Serve(ctx context.Context, args []string) error {
	servers := map[string]func(addr, redis string) error{
		floorWord: func(addr, _ string) error { return fasthttp.ListenAndServe(addr, floor) },
		peerWord:  func(addr, redis string) error { return http.ListenAndServe(addr, newPeer(redis)) },
	}
	if len(args) != 3 || servers[args[0]] == nil {
		return fmt.Errorf("%s %q: for this program's own use", ServerCommand, args)
	}
	context.AfterFunc(ctx, func() { os.Exit(0) }) // nothing is left to finish
	return servers[args[0]](args[1], args[2])
}

const held = `{"code":"held"}`

// floor does nothing: no server on fasthttp is faster.
func floor(ctx *fasthttp.RequestCtx) {
	ctx.SetContentType("application/json")
	ctx.SetBodyString(held)
}

// peerStock is the key of the units that the peer has left.
const peerStock = "stock"

// peerScript takes a unit for an order, once. It does as little as can be:
// there is no buyer, no limit, no window, no record and no ledger.
const peerScript = `
if not redis.call('SET', KEYS[1], 1, 'NX') then return 1 end
if redis.call('DECR', KEYS[2]) >= 0 then return 1 end
redis.call('INCR', KEYS[2])
redis.call('DEL', KEYS[1])
return 0`

// newPeer answers confirms the usual way: one script call for each.
func newPeer(addr string) http.Handler {
	client := redis.NewClient(&redis.Options{Addr: addr})
	script := redis.NewScript(peerScript)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /confirm/{sale}", func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Attempt string `json:"imp_uid"`
			Order   string `json:"merchant_uid"`
			Amount  int64  `json:"amount"`
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body.Order == "" {
			http.Error(w, `{"code":"bad_request"}`, http.StatusBadRequest)
			return
		}
		taken, err := script.Run(r.Context(), client, []string{body.Order, peerStock}).Bool()
		switch {
		case err != nil:
			http.Error(w, `{"code":"unavailable"}`, http.StatusServiceUnavailable)
		case !taken:
			http.Error(w, `{"code":"sold_out"}`, http.StatusConflict)
		default:
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(held)) // whoever is gone cannot be told
		}
	})
	return mux
}
