package cli

import (
	"strings"
	"testing"
)

// JSON is read by a parser of its own, and says the same as YAML.
func TestJSONIsReadAsYAMLIs(t *testing.T) {
	t.Parallel()
	const yaml = good + `    hold: 90s
    per_buyer: 2
    accept: [v1, v2]
    auto_refund: true
    messages: {sold_out: "매진 \"끝\""}
    notify: https://shop.example.com/changes?a=b&c=d
    skus: [{name: x, stock: 1, price: 0}, {name: y, stock: 1000000000}]
`
	const json = "\ufeff\r\n{\"sales\":\t[{" +
		`"name":"a","opens_at":"2026-12-01T10:00:00+09:00","closes_at":"2026-12-01T18:00:00+09:00",` +
		`"hold":"90s","per_buyer":2,"accept":["v1","v2"],"auto_refund":true,"messages":{"sold_out":"\ub9e4\uc9c4 \"끝\""},` +
		`"notify":"https:\/\/shop.example.com\/changes?a=b\u0026c=d","skus":[{"name":"x","stock":1,"price":0},{"name":"y","stock":1000000000}]}]}`
	want, err := parseSales("sales.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseSales("sales.json", []byte(json))
	if err != nil || len(got) != 1 || got[0].Name != want[0].Name || !got[0].Equal(want[0].Settings) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
}

func TestFaultsOfJSONAreToldWithTheirLine(t *testing.T) {
	t.Parallel()
	const begin, end = "{\n\"name\": \"a\",\n\"opens_at\": \"2026-12-01T10:00:00Z\", \"closes_at\": " +
		"\"2026-12-01T11:00:00Z\",\n", "\n\"skus\": [{\"name\": \"x\", \"stock\": 1}]}"
	f := func(line, want string) {
		t.Helper()
		_, err := parseSale([]byte(begin + line + end))
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", line, err, want)
		}
	}
	f(`"hold": 5,`, `body:4: hold: must be a duration such as 5m or 90s, not "5"`)
	f("\"hold\":\n\n5,", `body:4: hold: must be a duration such as 5m or 90s, not "5"`)
	f(`"hold": null,`, "body:4: hold: has no value; it must be a duration such as 5m or 90s")
	f(`"hold": "5m", "hold": "6m",`, "body:4: hold: already set on line 4")
	f(`"name": "b",`, "body:4: name: already set on line 2")
	f(`"holds": "5m",`, "body:4: holds: unknown field; did you mean hold?")
	f(`"per_buyer": 1.5,`, `body:4: per_buyer: must be a whole number in plain digits, not "1.5"`)
	f(`"per_buyer": 1e3,`, `body:4: per_buyer: must be a whole number in plain digits, not "1e3"`)
	f(`"per_buyer": "1",`, `body:4: per_buyer: must be a whole number in plain digits, not "1"`)
	f(`"per_buyer": -1,`, "body:4: per_buyer: must be between 0 and 1000000000, not -1")
	f(`"per_buyer": true,`, `body:4: per_buyer: must be a whole number in plain digits, not "true"`)
	f(`"auto_refund": "true",`, `body:4: auto_refund: must be true or false, not "true"`)
	f(`"messages": [],`, "body:4: messages: must be a mapping, not a list")
	f(`"accept": {"v1": 1},`, "body:4: accept: must be a list, not a mapping")
	f(`"accept": `+strings.Repeat("[", 8)+strings.Repeat("]", 8)+",",
		"body:4: this is no JSON of a sale: lists and mappings are nested too deep")
}
