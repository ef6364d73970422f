package bench

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// signingKey is what links are signed with and the gate verifies.
const signingKey = "bench:YmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtMDE="

// maxRate is how many requests a second are signed for in advance. At 5 µs a
// decision one Redis could not decide more. Where signatures run out, the gate
// refuses, and the run fails.
const maxRate = 200_000

// orders is how many requests one thread may come to send.
func (l load) orders() int { return maxRate*int(l.Duration.Seconds())/l.Threads + l.Connections }

// signLinks writes the signatures of load.lua's links to a file for each thread of the client: the client has no HMAC,
// and should cost little.
func signLinks(prefix string, threads, orders int) error {
	keys, err := gate.ParseKeys(signingKey)
	if err != nil {
		return err
	}
	expires := time.Now().Add(24 * time.Hour)
	for thread := 1; thread <= threads; thread++ {
		if err := signThread(fmt.Sprint(prefix, thread), keys, expires, thread, orders); err != nil {
			return err
		}
	}
	return nil
}

// signThread signs for the orders that one thread asks for, in their order, with
// the ids and the amount that load.lua gives them.
func signThread(path string, keys *gate.Keys, expires time.Time, thread, orders int) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	out := bufio.NewWriter(file)
	for i := 1; i <= orders; i++ {
		id := fmt.Sprintf("%02d%08d", thread, i)
		link, err := keys.URL("http://gate", gate.Offer{
			Sale: saleName, Items: "ticket", Buyer: "u" + id, Order: "ORD2026" + id,
			Amount: gate.Amount{Value: 110_000, Known: true}, Expires: expires,
		})
		if err != nil {
			return err
		}
		claims, signature, _ := strings.Cut(link[strings.Index(link, "&amount="):], "&sig=")
		if i == 1 {
			fmt.Fprintln(out, claims+"&sig=")
		}
		out.WriteString(signature)
	}
	return out.Flush()
}
