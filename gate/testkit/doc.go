// Package testkit has what tests of several packages use: waiting for a condition, a clock that only tests move, sale
// files, secrets of Standard Webhooks and of command lines. Servers and programs are started by package redistest, a
// simulated PortOne by loadtest/simtest.
package testkit
