// Package testkit has what tests of several packages use: waiting for a condition, a
// clock that only tests move, secrets of Standard Webhooks and of command lines. Servers and
// programs are started by package redistest.
package testkit
