package gate

import "testing"

func TestWhatIsReplacedIsReplacedForAll(t *testing.T) {
	t.Parallel()
	var r, other Replaceable[[]string]
	if r.Now() != nil {
		t.Errorf("at first: %v", r.Now())
	}
	other.Set([]string{"new"})
	before := r.Now()
	r.Replace(&other)
	if now := r.Now(); len(now) != 1 || now[0] != "new" || before != nil {
		t.Errorf("replaced: %v, and before %v", now, before)
	}
	r.Replace(&Replaceable[[]string]{})
	if r.Now() != nil {
		t.Errorf("replaced by none: %v", r.Now())
	}
}

// Keys that are no keys take no link, and none that are replaced by such.
func TestNoKeysTakeNoLink(t *testing.T) {
	t.Parallel()
	good, o := testKeys(t, "k1:"+testKey), testOffer()
	link := signedLink(t, good, o)
	replaced := testKeys(t, "k1:"+testKey)
	replaced.Replace(&Keys{})
	for name, k := range map[string]*Keys{"nil": nil, "zero": {}, "replaced by zero": replaced} {
		if v, ok := k.Verify(o.Sale, []byte(o.Order), link, signTime); ok || v.Cause != KeyUnknown {
			t.Errorf("%s: %t, %+v", name, ok, v)
		}
		if url, err := k.URL("https://gate.example.com", o); err == nil {
			t.Errorf("%s: signed %s", name, url)
		}
	}
	replaced.Replace(good)
	if v, ok := replaced.Verify(o.Sale, []byte(o.Order), link, signTime); !ok {
		t.Errorf("replaced by the right ones: %+v", v)
	}
}
