package store

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAddresses(t *testing.T) {
	t.Parallel()
	type want struct {
		topology       topology
		hosts          string
		user, password string
		master         string
		db             int
		tls            bool
	}
	for text, want := range map[string]want{
		"redis://h":                   {hosts: "h:6379"},
		" redis://h\n":                {hosts: "h:6379"},
		"redis+sentinel://a, b/m":     {topology: sentinel, hosts: "a:26379 b:26379", master: "m"},
		"redis://h:7000/3":            {hosts: "h:7000", db: 3},
		"redis://h/":                  {hosts: "h:6379"},
		"redis://u:p@h:7000":          {hosts: "h:7000", user: "u", password: "p"},
		"redis://:p%40%2F%3A%20@h":    {hosts: "h:6379", password: "p@/: "},
		"redis://u@h":                 {hosts: "h:6379", user: "u"},
		"redis://[::1]":               {hosts: "[::1]:6379"},
		"redis://[::1]:7000":          {hosts: "[::1]:7000"},
		"rediss://h:7000":             {hosts: "h:7000", tls: true},
		"redis+sentinel://a,b:7000/m": {topology: sentinel, hosts: "a:26379 b:7000", master: "m"},
		"redis+sentinel://u:p@a/m/2": {
			topology: sentinel, hosts: "a:26379", user: "u", password: "p",
			master: "m", db: 2,
		},
		"rediss+sentinel://a/m":          {topology: sentinel, hosts: "a:26379", master: "m", tls: true},
		"redis+cluster://a,b:7000,[::1]": {topology: cluster, hosts: "a:6379 b:7000 [::1]:6379"},
		"redis+cluster://u:p@a":          {topology: cluster, hosts: "a:6379", user: "u", password: "p"},
		"redis+cluster://a/0":            {topology: cluster, hosts: "a:6379"},
		"rediss+cluster://a,b":           {topology: cluster, hosts: "a:6379 b:6379", tls: true},
		"redis+sentinel://a/m?sentinel_username=s&sentinel_password=q": {
			topology: sentinel,
			hosts:    "a:26379", master: "m",
		},
	} {
		a, err := parseAddress(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		o := a.options(&dialer{timeout: time.Second})
		if got := strings.Join(o.Addrs, " "); got != want.hosts || a.topology != want.topology ||
			o.IsClusterMode != (want.topology == cluster) {
			t.Errorf("%s: topology %d at %s", text, a.topology, got)
		}
		if o.Username != want.user || o.Password != want.password || o.MasterName != want.master || o.DB != want.db {
			t.Errorf("%s: user %q, password %q, master %q, database %d", text, o.Username, o.Password,
				o.MasterName, o.DB)
		}
		if (o.Dialer != nil) != want.tls {
			t.Errorf("%s: TLS is %t", text, o.Dialer != nil)
		}
	}
}

func TestSentinelsMayHaveCredentialsOfTheirOwn(t *testing.T) {
	t.Parallel()
	a, err := parseAddress("redis+sentinel://u:p@a/m?sentinel_username=s&sentinel_password=q")
	if err != nil {
		t.Fatal(err)
	}
	if o := a.options(&dialer{}); o.SentinelUsername != "s" || o.SentinelPassword != "q" {
		t.Errorf("got %q and %q", o.SentinelUsername, o.SentinelPassword)
	}
}

func TestTheClientRetriesNothing(t *testing.T) {
	t.Parallel()
	a, err := parseAddress("redis://h")
	if err != nil {
		t.Fatal(err)
	}
	if o := a.options(&dialer{timeout: time.Second}); o.MaxRetries != -1 || !o.ContextTimeoutEnabled ||
		o.ReadTimeout != time.Second {
		t.Errorf("MaxRetries %d, ContextTimeoutEnabled %v, ReadTimeout %v", o.MaxRetries, o.ContextTimeoutEnabled,
			o.ReadTimeout)
	}
}

func TestAddressesThatAreRefused(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"":                                  "has no scheme",
		"redis://u:p\u00a0w@h":              "the Redis address has U+00A0 at column 12",
		"redis://h i":                       "write HOST or HOST:PORT",
		"localhost:6379":                    "has no scheme",
		"http://h":                          `unknown scheme "http"`,
		"unix:///run/redis":                 `unknown scheme "unix"`,
		"redis://":                          "write HOST or HOST:PORT",
		"redis://:7000":                     "write HOST or HOST:PORT",
		"redis://h:x":                       "write HOST or HOST:PORT",
		"redis://h:0":                       "write HOST or HOST:PORT",
		"redis://h:65536":                   "write HOST or HOST:PORT",
		"redis+cluster://a,,b":              "write HOST or HOST:PORT",
		"redis://a,b":                       "2 hosts",
		"redis://h/x":                       `database "x"`,
		"redis://h/-1":                      `database "-1"`,
		"redis://h?timeout=1s":              `unknown option "timeout"`,
		"redis://h?sentinel_password=q":     `unknown option "sentinel_password"`,
		"redis+sentinel://a":                "lacks the name",
		"redis+sentinel://a//2":             "lacks the name",
		"redis+sentinel://a/m/x":            `database "x"`,
		"redis+cluster://a/1":               "has only 0",
		"redis+sentinel://a/m?sentinel_x=%": "unreadable query",
	} {
		_, err := parseAddress(text)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want %q", text, err, says)
		}
	}
}

func TestErrorsAboutAddressesNeverShowThePassword(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"http://u:SECRET@h", "redis://u:SECRET@", "redis://u:SECRET@h:x", "redis://u:SECRET@h/x",
		"redis://u:SECRET@h?x=1",
		"redis://u:SECRET@a,b", "redis+cluster://u:SECRET@a/1", "redis+sentinel://u:SECRET@a",
		"redis://u:SECRET/x@h", "redis://u:x/SECRET@h", "redis://:SECRET/x@h", "redis://SECRET/x@h",
		"redis://u:a/SECRET@h/1",
		"redis://u:SECRET?x@h", "redis://u:x?SECRET@h", "redis://u:SECRET#x@h", "redis://u:x#SECRET@h",
		"redis://u:SECRET%zz@h",
		"redis://u:x%SECRET@h", "redis://u:SECRET x@h", "redis://u:a@b/SECRET@h", "redis://u:a,SECRET@h",
		"redis://u:SECRET",
		"redis+sentinel://a/m?sentinel_password=%SECRET", "redis+sentinel://a?sentinel_password=SECRET",
		"redis+sentinel://a/m?sentinel_password=x@SECRET",
	} {
		if _, err := parseAddress(text); err != nil && strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestAPasswordThatIsNotEncodedIsRefusedNotMisread(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"redis://u:a/b@h", "redis://u:a?b@h", "redis://u:a#b@h", "redis://a/b@h",
		"redis+sentinel://a/m?sentinel_password=p@q",
	} {
		_, err := parseAddress(text)
		if err == nil || !strings.Contains(err.Error(), "percent-encode") {
			t.Errorf("%s: got %v, want advice to percent-encode", text, err)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	f.Add("redis://u:p@h:1/2")
	f.Add("rediss+sentinel://u:p@a,b/m/1?sentinel_password=q")
	f.Add("redis+cluster://[::1]:7,b/0")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := parseAddress(text)
		if err == nil && (len(a.hosts) == 0 || slices.Contains(a.hosts, "")) {
			t.Errorf("%q: hosts %q", text, a.hosts)
		}
	})
}
