package schemas_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/flashgate/flashgate/loadtest/schemas"
)

// exchange is a call, what is answered, and what is wrong with either.
type exchange struct {
	method, path, body string
	status             int
	answer             string
	want               string // where and what; empty where all is well
}

// seen passes an exchange through a document, and returns what was found.
func seen(t *testing.T, d *schemas.Document, e exchange) (found []string) {
	t.Helper()
	var log schemas.Log
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got, err := io.ReadAll(r.Body); err != nil || string(got) != e.body {
			t.Errorf("%+v: the API was asked %q, %v", e, got, err)
		}
		w.Header().Set("X-Api", "yes")
		w.WriteHeader(e.status)
		fmt.Fprint(w, e.answer)
	})
	r := httptest.NewRequest(e.method, e.path, strings.NewReader(e.body))
	if r.Header.Set("Content-Type", "application/json"); e.body != "" && !strings.ContainsAny(e.body[:1], "{[") {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	d.Between(api, &log).ServeHTTP(w, r)
	if w.Code != e.status || w.Body.String() != e.answer || w.Header().Get("X-Api") != "yes" {
		t.Errorf("%+v: %d %s came through", e, w.Code, w.Body)
	}
	for v := range log.Violations() {
		found = append(found, v.Where+" "+v.What)
	}
	slices.Sort(found)
	return found
}

func try(t *testing.T, d *schemas.Document, all []exchange) {
	t.Helper()
	for _, e := range all {
		var want []string
		if e.want != "" {
			want = []string{e.want}
		}
		if got := seen(t, d, e); !slices.Equal(got, want) {
			t.Errorf("%s %s %s, %d %s: %q, want %q", e.method, e.path, e.body, e.status, e.answer, got, want)
		}
	}
}

func TestV1IsHeldAgainstItsDocument(t *testing.T) {
	t.Parallel()
	d, err := schemas.V1("testdata")
	if err != nil {
		t.Fatal(err)
	}
	const fine = `{"code":0,"message":null,"response":{"id":"a","tags":["x"],"price":1.5}}`
	get := func(path, want string) exchange { return exchange{"GET", path, "", 200, fine, want} }
	sell := func(body, want string) exchange { return exchange{"POST", "/things/sell", body, 200, fine, want} }
	answer := func(status int, answer, want string) exchange {
		return exchange{"GET", "/things/a/new", "", status, answer, want}
	}
	try(t, d, []exchange{
		get("/things/a/new?limit=2&ids[]=1&ids[]=2", ""),
		get("/things/a/", ""),
		get("/things/a", ""),
		get("/things/a/sold", "path.state sold is not among its values"),
		get("/things", "path is unknown"),
		get("/things//new", "path is unknown"),
		get("/things/a/new/more", "path is unknown"),
		get("/things/a/new?page=1", "query.page is unknown"),
		get("/things/a/new?limit=x", "query.limit x is no whole number of 64 bits"),
		get("/things/a/new?limit=11", "query.limit 11 is out of bounds"),
		get("/things/a/new?limit=1&limit=2", "query.limit comes more than once"),
		get("/things/a/new?ids[]=x", "query.ids[] x is no whole number of 64 bits"),
		{"GET", "/things/a", `{"id":"a"}`, 200, fine, "body is there, and the call has none"},
		{"DELETE", "/things/a", "", 200, fine, "path is unknown"},

		sell(`{"id":"a","amount":1.5,"gift":true}`, ""),
		sell(`id=a&amount=1.5&gift=true`, ""),
		sell(`{"amount":1}`, "body.id is missing"),
		sell(`amount=1`, "body.id is missing"),
		sell(`{"id":"a","amount":"1"}`, "body.amount is a text, not a number"),
		sell(`{"id":"a","why":"x"}`, "body.why is unknown"),
		sell(`id=a&why=x`, "body.why is unknown"),
		sell(`id=a&gift=perhaps`, "body.gift is a text, not true or false"),
		sell(`{"id":"abcde"}`, "body.id is longer than 4 characters"),
		sell(`[]`, "body is a list, not an object"),
		sell(`{"id":`, "body is no JSON"),
		sell(``, "body is missing"),

		answer(404, `{"code":-1}`, ""),
		answer(404, `Not Found`, "answer is no JSON"),
		answer(500, `{}`, "answer has the status 500, which the call does not have"),
		answer(200, `{"code":"0"}`, "answer.code is a text, not a number"),
		answer(200, `{"code":0,"extra":1}`, "answer.extra is unknown"),
		answer(200, `{"response":{"tags":null}}`, "answer.response.id is missing"),
		answer(200, `{"response":{"id":null}}`, "answer.response.id is null"),
		answer(200, `{"response":{"id":"a","tags":[1]}}`, "answer.response.tags[0] is a number, not a text"),
		answer(200, `{"response":{"id":"a","tags":{}}}`, "answer.response.tags is an object, not a list"),
		answer(200, `{"response":{"id":"a","price":"1"}}`, "answer.response.price is a text, not a number"),
		answer(200, `{"response":{"id":"a","more":1}}`, "answer.response.more is unknown"),
		answer(200, `{}{}`, "answer is no JSON"),
	})
}

func TestV2IsHeldAgainstItsDocument(t *testing.T) {
	t.Parallel()
	d, err := schemas.V2("testdata")
	if err != nil {
		t.Fatal(err)
	}
	list := func(query, want string) exchange { return exchange{"GET", "/things" + query, "", 200, `[]`, want} }
	answer := func(status int, answer, want string) exchange {
		return exchange{"POST", "/things/a/sell?shop=b", `{"size":1}`, status, answer, want}
	}
	try(t, d, []exchange{
		list("", ""),
		list(`?requestBody={"size":1,"since":"2026-01-01T00:00:00.5Z"}`, ""),
		list(`?requestBody={"size":1.5}`, "query.requestBody.size 1.5 is no whole number of 32 bits"),
		list(`?requestBody={"size":3000000000}`, "query.requestBody.size 3000000000 is no whole number of 32 bits"),
		list(`?requestBody={"size":1,"since":"yesterday"}`,
			`query.requestBody.since "yesterday" is no time of RFC 3339`),
		list(`?requestBody={"size":1,"page":1}`, "query.requestBody.page is unknown"),
		list(`?requestBody=1,2`, "query.requestBody is no JSON"),

		{"POST", "/things/a/sell", `{"size":1}`, 200, `{"status":"NEW"}`, "query.shop is missing"},
		{
			"POST", "/things/a/sell?shop=b", `size=1`, 200, `{"status":"NEW"}`,
			`body is "application/x-www-form-urlencoded", which the call does not take`,
		},
		{"POST", "/things/a/sell?shop=b", `{}`, 200, `{"status":"NEW"}`, "body.size is missing"},

		answer(200, `{"status":"NEW","color":"RED"}`, ""),
		answer(200, `{"status":"SOLD","soldAt":"2026-01-01T00:00:00Z","gift":false}`, ""),
		answer(200, `{"status":"SOLD"}`, "answer.soldAt is missing"),
		answer(200, `{"status":"LOST"}`, "answer.status LOST is not among its values"),
		answer(200, `{}`, "answer.status <nil> is not among its values"),
		answer(200, `[]`, "answer is a list, not an object"),
		answer(200, `{"status":"NEW","color":"GREEN"}`, "answer.color GREEN is not among its values"),
		answer(200, `{"status":"NEW","color":null}`, "answer.color is null"),
		answer(200, `{"status":"NEW","soldAt":"2026-01-01T00:00:00Z"}`, "answer.soldAt is unknown"),
		answer(200, `{"status":"SOLD","soldAt":"2026-01-01T00:00:00Z","gift":"no"}`,
			"answer.gift is a text, not true or false"),
		answer(404, `{"type":"NO_THING"}`, ""),
		answer(409, `{"type":"SOLD","message":"x"}`, ""),
		answer(409, `{"type":"NO_THING"}`, "answer.type NO_THING comes with the status 409, and is none of its errors"),
		answer(409, `{"type":"OTHER"}`, "answer.type OTHER is not among its values"),
		answer(409, `{"type":"IDEMPOTENCY_OUTSTANDING_REQUEST"}`, ""),
	})
}

func TestCallsAndViolationsAreCounted(t *testing.T) {
	t.Parallel()
	d, err := schemas.V1("testdata")
	if err != nil {
		t.Fatal(err)
	}
	var log schemas.Log
	api := d.Between(http.NotFoundHandler(), &log)
	for _, id := range []string{"a", "b", "c"} {
		api.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/things/"+id, nil))
	}
	if want := map[string]int{"v1 GET /things/{id}/{state} 404": 3}; !maps.Equal(log.Calls(), want) {
		t.Errorf("the calls are %v, want %v", log.Calls(), want)
	}
	want := schemas.Violation{Call: "v1 GET /things/{id}/{state}", Where: "answer", What: "is no JSON"}
	if got := log.Violations(); len(got) != 1 || got[want] != 3 ||
		want.String() != "v1 GET /things/{id}/{state}: answer is no JSON" {
		t.Errorf("the violations are %v, want three of %s", got, want)
	}
}

// What is not understood must not pass: then nobody would have looked.
func TestADocumentThatIsNotUnderstoodIsRefused(t *testing.T) {
	t.Parallel()
	good, err := os.ReadFile("testdata/v2.json")
	if err != nil {
		t.Fatal(err)
	}
	f := func(old, new, want string) {
		t.Helper()
		text := strings.Replace(string(good), old, new, 1)
		if text == string(good) {
			t.Fatalf("%q is not in the document", old)
		}
		if _, err := schemas.Parse("v2", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("with %q: %v, want %q", new, err, want)
		}
	}
	f(`"format": "int32"`, `"format": "int8"`, "int8")
	f(`"enum": ["RED", "BLUE"]`, `"pattern": "^R"`, "pattern")
	f(`"#/components/schemas/Color"`, `"#/components/schemas/Colour"`, "Colour is referred to and missing")
	f(`{"NEW": "#/components/schemas/New",`, `{"NEW": "#/components/schemas/Young",`,
		"Young is referred to and missing")
	f(`"openapi": "3.0.3"`, `"openapi": ""`, "no document")
	f(`{`, ``, "invalid")
	if _, err := schemas.V2(t.TempDir()); err == nil || !strings.Contains(err.Error(), "v1.json and v2.json") {
		t.Errorf("an empty folder: %v", err)
	}
}
