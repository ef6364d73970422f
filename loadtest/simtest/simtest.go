// Package simtest starts a simulated PortOne for tests, and has the flags of gates and commands that ask it.
package simtest

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/flashgate/flashgate/loadtest/portonesim"
)

// HookSecret signs V2's confirm calls and webhooks.
const HookSecret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

// PortOne is a simulated PortOne on a port of its own.
type PortOne struct {
	*portonesim.Sim
	URL string // of its REST APIs and /sim/
}

// Start starts a PortOne in which as much goes wrong as the plan says. It ends with the test.
func Start(t testing.TB, plan portonesim.Plan) *PortOne {
	t.Helper()
	sim := portonesim.New(portonesim.Deps{}, portonesim.Options{
		V1Key: "key", V1Secret: "secret", V2Secret: "secret-2", WebhookSecret: HookSecret, Seed: 1, Plan: plan,
		Backoff: []time.Duration{100 * time.Millisecond, 200 * time.Millisecond},
	})
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(func() { server.Close(); sim.Close() })
	return &PortOne{sim, server.URL}
}

// Credentials returns the flags of a command that asks PortOne.
func (p *PortOne) Credentials() []string {
	return []string{
		"--portone-v1-url", p.URL, "--portone-v1-key", "key", "--portone-v1-secret", "secret",
		"--portone-v2-url", p.URL, "--portone-v2-secret", "secret-2", "--portone-rate", "500",
	}
}

// Settling returns the flags of a gate that looks payments up at PortOne, soon.
func (p *PortOne) Settling() []string {
	return append(p.Credentials(), "--webhook-secret", HookSecret, "--first-look", "500ms", "--grace", "2s")
}
