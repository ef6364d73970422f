// Package redistest starts real servers for tests: one Redis, a primary with
// replicas, a Cluster, Sentinels, and HAProxy. Each listens on a free loopback
// port, keeps its files in a temporary directory and dies with the test that
// started it.
//
// A server belongs to its test: a method that fails ends that test. Only Addr,
// URL, Port and Do may be called from several goroutines at once.
package redistest
