package store

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/flashgate/flashgate/gate"
)

// AddressForms lists the forms of address that Open takes, for messages.
const AddressForms = "redis://[USER:PASSWORD@]HOST[:PORT][/DB], " +
	"redis+sentinel://[USER:PASSWORD@]HOST[,HOST…]/MASTER[/DB] or redis+cluster://[USER:PASSWORD@]HOST[,HOST…]; " +
	"rediss for TLS"

type topology int

const (
	single topology = iota
	sentinel
	cluster
)

// address is a parsed --redis address.
type address struct {
	topology topology
	hosts    []string
	user     *url.Userinfo
	master   string
	db       int
	secure   bool
	query    url.Values
}

var errUser = errors.New("the Redis address has an unreadable user or password: percent-encode what is not a " +
	"letter or digit")

// parseAddress reads an address. Its errors never show the password.
func parseAddress(text string) (a address, err error) {
	text = strings.TrimSpace(text)
	if strange := gate.Unprintable(text); strange != "" {
		return a, fmt.Errorf("the Redis address has %s, which no address has", strange)
	}
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		return a, fmt.Errorf("the Redis address has no scheme: write %s", AddressForms)
	}
	defaultPort := "6379"
	switch scheme {
	case "redis", "rediss":
	case "redis+sentinel", "rediss+sentinel":
		a.topology, defaultPort = sentinel, "26379"
	case "redis+cluster", "rediss+cluster":
		a.topology = cluster
	default:
		return a, fmt.Errorf("the Redis address has the unknown scheme %q: write %s", scheme, AddressForms)
	}

	if strings.ContainsAny(rest[:strings.LastIndexByte(rest, '@')+1], "/?#") {
		return a, errUser // otherwise a part of the password would be read, and shown, as something else
	}
	rest, query, _ := strings.Cut(rest, "?")
	if a.query, err = url.ParseQuery(query); err != nil {
		return a, fmt.Errorf("the Redis address has an unreadable query")
	}
	for key := range a.query {
		if a.topology != sentinel || key != "sentinel_username" && key != "sentinel_password" {
			return a, fmt.Errorf("the Redis address has the unknown option %q", key)
		}
	}
	hosts, path, _ := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(hosts, '@'); at >= 0 {
		u, err := url.Parse("redis://" + hosts[:at] + "@host")
		if err != nil {
			return a, errUser
		}
		a.user, hosts = u.User, hosts[at+1:]
	}
	for host := range strings.SplitSeq(hosts, ",") {
		host, ok := withPort(strings.TrimSpace(host), defaultPort)
		if !ok {
			return a, fmt.Errorf("the Redis address has an unreadable host, number %d: write HOST or HOST:PORT",
				len(a.hosts)+1)
		}
		a.hosts = append(a.hosts, host)
	}
	if a.topology == single && len(a.hosts) > 1 {
		return a, fmt.Errorf("the Redis address names %d hosts: use redis+sentinel:// or redis+cluster:// for several",
			len(a.hosts))
	}
	a.secure = strings.HasPrefix(scheme, "rediss")
	return a, a.parsePath(path)
}

func (a *address) parsePath(path string) error {
	db := path
	if a.topology == sentinel {
		a.master, db, _ = strings.Cut(path, "/")
		if a.master == "" {
			return fmt.Errorf("the Redis address lacks the name that the Sentinels know the primary by: write " +
				"redis+sentinel://HOST,HOST/MASTER")
		}
	}
	if db == "" {
		return nil
	}
	var err error
	if a.db, err = strconv.Atoi(db); err != nil || a.db < 0 {
		return fmt.Errorf("the Redis address has the database %q: it must be a number", db)
	}
	if a.topology == cluster && a.db != 0 {
		return fmt.Errorf("the Redis address names database %d: a Cluster has only 0", a.db)
	}
	return nil
}

func (a *address) hasPassword() bool {
	if a.user == nil {
		return false
	}
	password, _ := a.user.Password()
	return password != ""
}

// withPort returns host:port, with the given port where the host names none.
func withPort(host, port string) (string, bool) {
	name := host
	if h, p, err := net.SplitHostPort(host); err == nil {
		name, port = h, p
	} else if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		name = host[1 : len(host)-1]
	}
	if n, err := strconv.Atoi(port); name == "" || strings.Contains(name, " ") || err != nil || n < 1 || n > 65535 {
		return "", false
	}
	return net.JoinHostPort(name, port), true
}

// client returns a client for everything but the lanes.
func (a *address) client(d *dialer) redis.UniversalClient {
	u := a.options(d)
	if a.topology != cluster {
		return redis.NewUniversalClient(u)
	}
	c := u.Cluster()
	c.DisableRoutingPolicies = true // they would send COMMAND first, which our few commands do not need
	return redis.NewClusterClient(c)
}

// options turns the address into the client's options. The client retries nothing by itself: its
// callers decide what to send again.
func (a *address) options(d *dialer) *redis.UniversalOptions {
	u := &redis.UniversalOptions{
		Addrs: a.hosts, DB: a.db, MasterName: a.master, IsClusterMode: a.topology == cluster,
		SentinelUsername: a.query.Get("sentinel_username"), SentinelPassword: a.query.Get("sentinel_password"),
		ClientName: "flashgate", Protocol: 2, DisableIdentity: true,
		MaxRetries: -1, DialerRetries: 1,
		DialTimeout: d.timeout, ReadTimeout: d.timeout, WriteTimeout: d.timeout, ContextTimeoutEnabled: true,
		PoolSize: 8, PipelinePoolSize: -1,
	}
	if a.user != nil {
		u.Username = a.user.Username()
		u.Password, _ = a.user.Password()
	}
	if d.withPassword {
		u.CredentialsProvider = func() (user, password string) { return u.Username, d.credentials.Now().Password }
	}
	if a.secure {
		u.Dialer = d.dialTLS
	}
	return u
}
