package portone

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// Deps are the dependencies of a Client. All but Transport are needed.
type Deps struct {
	Transport http.RoundTripper // default: one of its own, with http.DefaultTransport's settings
	Metrics   *Metrics
	Now       func() time.Time
	Log       *slog.Logger
}

// Options of a Client. One of V1 and V2 is needed, or both. The rest has defaults.
type Options struct {
	V1          V1Options
	V2          V2Options
	Rate        float64       // calls a second to each API; default 50
	Concurrency int           // calls to each API at the same time; default 8
	Timeout     time.Duration // of one try of a call that only reads; default 10 s
}

// V1Options are how to reach PortOne's V1 API. Without a key there is no V1.
type V1Options struct {
	BaseURL     string // default https://api.iamport.kr
	Key, Secret string // imp_key and imp_secret, from PortOne's console
}

// V2Options are how to reach PortOne's V2 API. Without a secret there is no V2.
type V2Options struct {
	BaseURL string // default https://api.portone.io
	Secret  string // the API secret from PortOne's console
	Store   Store  // empty: every store that the secret is for
}

// Client looks payments up and cancels them. It may be used by any number of
// goroutines at once.
type Client struct {
	v1 *v1 // nil where V1 is not used
	v2 *v2 // nil where V2 is not used
}

// NewClient returns a client. It makes no call. Its errors never show a secret.
func NewClient(deps Deps, opt Options) (*Client, error) {
	if opt.Rate == 0 {
		opt.Rate = 50
	}
	if opt.Concurrency == 0 {
		opt.Concurrency = 8
	}
	if opt.Timeout == 0 {
		opt.Timeout = 10 * time.Second
	}
	if opt.Rate < 0 || opt.Concurrency < 0 || opt.Timeout < 0 {
		return nil, errors.New("rate, concurrency and time-out of calls to PortOne must be above zero")
	}
	if deps.Transport == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConnsPerHost = opt.Concurrency
		deps.Transport = transport
	}
	c := &Client{}
	if opt.V1 != (V1Options{}) {
		if err := errors.Join(credential("V1's key", opt.V1.Key),
			credential("V1's secret", opt.V1.Secret)); err != nil {
			return nil, err
		}
		base, err := baseURL(opt.V1.BaseURL, "https://api.iamport.kr")
		if err != nil {
			return nil, fmt.Errorf("address of PortOne V1: %w", err)
		}
		c.v1 = newV1(newAPI("v1", base, deps, opt), deps, opt)
	}
	if opt.V2 != (V2Options{}) {
		if err := credential("V2's secret", opt.V2.Secret); err != nil {
			return nil, err
		}
		base, err := baseURL(opt.V2.BaseURL, "https://api.portone.io")
		if err != nil {
			return nil, fmt.Errorf("address of PortOne V2: %w", err)
		}
		c.v2 = newV2(newAPI("v2", base, deps, opt), deps, opt)
	}
	if c.v1 == nil && c.v2 == nil {
		return nil, errors.New("no credentials for PortOne: give V1's key and secret, or V2's secret")
	}
	return c, nil
}

// credential checks that a secret can stand in a header, so that one pasted with
// a line break is found here and not in each answer.
func credential(name, secret string) error {
	const must = "must be printable ASCII without spaces: copy it from PortOne's console"
	if secret == "" {
		return fmt.Errorf("%s is empty, and %s", name, must)
	}
	if strange := gate.Strange(secret, gate.Visible); strange != "" {
		return fmt.Errorf("%s has %s, and %s", name, strange, must)
	}
	return nil
}

func baseURL(given, standard string) (string, error) {
	if given == "" {
		return standard, nil
	}
	u, err := url.Parse(given)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil ||
		strings.ContainsAny(given, "?#") {
		return "", errors.New("must be http(s)://HOST[:PORT][/PATH]")
	}
	return strings.TrimRight(given, "/"), nil
}
