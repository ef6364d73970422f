package portone_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
	"github.com/flashgate/flashgate/gate/testkit"
)

// wantCheck checks the credentials of a version; the error must have the wanted
// words, and no secret.
func wantCheck(t *testing.T, what string, c *portone.Client, v gate.Version, want string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err := c.Check(ctx, v)
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("%s, %v: got %v, want %q", what, v, err, want)
	}
	for _, secret := range []string{fakeKey, fakeSecret, fakeToken} {
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error shows a secret: %v", what, err)
		}
	}
	return err
}

func TestCredentialsAreCheckedByTheCheapestCallThatNeedsThem(t *testing.T) {
	t.Parallel()
	one, two := newFakeV1(), newFakeV2()
	c := serve(t, one, two)
	for range 2 { // a token that is kept proves nothing
		wantCheck(t, "good", c, gate.V1, "")
		wantCheck(t, "good", c, gate.V2, "")
	}
	if one.called("POST /users/getToken") != 2 || len(one.calls) != 2 {
		t.Errorf("V1 was called for %q", one.calls)
	}
	if two.called("GET /payments?") != 2 || len(two.calls) != 2 || !strings.Contains(two.calls[0], `"size":1}`) {
		t.Errorf("V2 was called for %q", two.calls)
	}

	other := func(o *config) { o.V1.Secret, o.V2.Secret = "SECRET-other", "SECRET-other" }
	c = serve(t, newFakeV1(), newFakeV2(), other)
	wantCheck(t, "wrong", c, gate.V1,
		"does not take the credentials (it answers 401): copy FLASHGATE_PORTONE_V1_KEY and FLASHGATE_PORTONE_V1_SECRET")
	wantCheck(t, "wrong", c, gate.V2,
		"does not take the credentials (it answers 401): copy FLASHGATE_PORTONE_V2_SECRET")
	wantCheck(t, "none", serve(t, newFakeV1(), nil), gate.V2, "no credentials")
	wantCheck(t, "none", serve(t, nil, newFakeV2()), gate.V1, "no credentials")
}

func TestCredentialsOfAShopWithPaymentsAreToldFromOthers(t *testing.T) {
	t.Parallel()
	f := func(what string, c *portone.Client, version gate.Version, want bool, trouble string) {
		t.Helper()
		got, err := c.Any(t.Context(), version)
		if got != want || (err == nil) != (trouble == "") || err != nil && !strings.Contains(err.Error(), trouble) {
			t.Errorf("%s, V%d: got %v, %v; want %v, %q", what, version, got, err, want, trouble)
		}
	}
	one, two := newFakeV1(), newFakeV2()
	c := serve(t, one, two)
	f("none", c, 1, false, "")
	f("none", c, 2, false, "")
	one.add(v1Payment("imp_1", "o1", "paid", object{"sandbox": true}))
	two.add(v2Payment("o1", "t1", "PAID", object{"version": "V1"}))
	f("of a test channel, of the other version", c, 1, false, "")
	f("of a test channel, of the other version", c, 2, false, "")
	one.add(v1Payment("imp_2", "o2", "failed"))
	two.add(v2Payment("o2", "t2", "READY"))
	f("one", c, 1, true, "")
	f("one", c, 2, true, "")
	if one.called("GET /payments/status/all?limit=1") != 3 || two.called("GET /payments?") != 3 {
		t.Errorf("V1 was called for %q, V2 for %q", one.calls, two.calls)
	}
	f("no credentials", serve(t, newFakeV1(), nil), 2, false, "no credentials")
	f("no credentials", serve(t, nil, newFakeV2()), 1, false, "no credentials")
	for _, listless := range []string{`{"code": 0, "response": []}`, `{"code": 0}`} {
		one.fault = func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasPrefix(r.URL.Path, "/payments") {
				return false
			}
			w.Write([]byte(listless))
			return true
		}
		f(listless, c, 1, false, "list of PortOne v1")
	}
	f("wrong", serve(t, nil, newFakeV2(), func(o *config) { o.V2.Secret = "SECRET-other" }), 2, false, "401")
}

func TestACheckSaysWhatToDoAboutEachAnswer(t *testing.T) {
	t.Parallel()
	f := func(status int, want string) {
		t.Helper()
		say := func(w http.ResponseWriter, _ *http.Request) bool {
			answer(w, status, object{"code": -1, "type": fakeSecret, "message": fakeSecret})
			return true
		}
		one, two := newFakeV1(), newFakeV2()
		one.fault, two.fault = say, say
		synctest.Test(t, func(t *testing.T) {
			c := atDirect(t, one, two)
			wantCheck(t, http.StatusText(status), c, gate.V1, want)
			wantCheck(t, http.StatusText(status), c, gate.V2, want)
		})
	}
	f(http.StatusForbidden, "copy FLASHGATE_PORTONE_V")
	f(http.StatusTooManyRequests, "lower --portone-rate")
	f(http.StatusBadGateway, "answers 502: if that lasts, see its status page")

	refused := newFakeV1()
	refused.fault = func(w http.ResponseWriter, _ *http.Request) bool {
		answer(w, http.StatusOK, object{"code": -1, "message": "no"})
		return true
	}
	wantCheck(t, "refused in the envelope", serve(t, refused, nil), gate.V1, "does not take the credentials")
}

func TestACheckOfWhatDoesNotAnswerIsBoundedAndSaysSo(t *testing.T) {
	t.Parallel()
	nowhere := testkit.Nowhere(t)
	at := func(o *config) { o.V1.BaseURL, o.V2.BaseURL = nowhere, nowhere }
	c := serve(t, newFakeV1(), newFakeV2(), at)
	wantCheck(t, "nobody listens", c, gate.V1, "(connect: connection refused): open the way to it")
	wantCheck(t, "nobody listens", c, gate.V2, "(connect: connection refused): open the way to it")

	synctest.Test(t, func(t *testing.T) {
		one := newFakeV1()
		one.latency = time.Hour
		c := atDirect(t, one, newFakeV2())
		wantCheck(t, "silence", c, gate.V1, "it did not answer in time")
	})
}

// What waits behind other calls says nothing of the credentials.
func TestACheckThatFindsNoPlaceIsUnknown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		two := newFakeV2()
		two.fault = func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Retry-After", "30")
			answer(w, http.StatusTooManyRequests, object{"type": "TOO_MANY_REQUESTS"})
			return true
		}
		c := atDirect(t, newFakeV1(), two)
		wantCheck(t, "called too often", c, gate.V2, "no call could be made in time")
		err := wantCheck(t, "in the pause", c, gate.V2, "no call could be made in time")
		if !errors.As(err, new(*gate.UnknownError)) {
			t.Errorf("got %v, want that it is not known", err)
		}
	})
}

// A token that is still good serves on while no new one can be had, and nobody
// waits for a check.
func TestACheckHoldsUpNoLookup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFakeV1(v1Payment("imp_1", "o", "paid"))
		c := atDirect(t, fake, nil)
		wantCheck(t, "good", c, gate.V1, "")
		fake.fault = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/users/getToken" {
				return false
			}
			<-r.Context().Done()
			return true
		}
		checked := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			checked <- c.Check(ctx, gate.V1)
		}()
		synctest.Wait()
		began := time.Now()
		if got := one(t, c, 1, "o", "imp_1"); got.Err != nil || time.Since(began) > time.Second {
			t.Errorf("after %v: %v", time.Since(began), got.Err)
		}
		if err := <-checked; err == nil {
			t.Error("the check passed")
		}
		if got := one(t, c, 1, "o", "imp_1"); got.Err != nil {
			t.Error(got.Err)
		}
	})
}
