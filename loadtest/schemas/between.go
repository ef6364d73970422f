package schemas

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Violation is what a document forbids, or does not name.
type Violation struct {
	Call  string // such as "v1 GET /payments/{imp_uid}"; the path itself where the route is unknown
	Where string // query, path, body, status or answer, with the place in it
	What  string
}

func (v Violation) String() string { return v.Call + ": " + v.Where + " " + v.What }

// Log has what was seen. It may be used by any number of goroutines at once.
type Log struct {
	mu         sync.Mutex
	calls      map[string]int // by call and status
	violations map[Violation]int
}

// Calls returns how often each call was answered with each status, such as
// "v1 GET /payments/{imp_uid} 200".
func (l *Log) Calls() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.calls)
}

// Violations returns what was found, and how often.
func (l *Log) Violations() map[Violation]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.violations)
}

func (l *Log) add(call string, violations []Violation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls == nil {
		l.calls, l.violations = map[string]int{}, map[Violation]int{}
	}
	l.calls[call]++
	for _, v := range violations {
		l.violations[v]++
	}
}

// Between passes calls on to an API, and writes down in which of them, and in which
// answers, the document is violated.
func (d *Document) Between(api http.Handler, log *Log) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, "the body cannot be read", http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		said := httptest.NewRecorder()
		api.ServeHTTP(said, r)
		call, violations := d.exchange(r, body, said.Code, said.Body.Bytes())
		log.add(fmt.Sprintf("%s %d", call, said.Code), violations)
		maps.Copy(w.Header(), said.Header())
		w.WriteHeader(said.Code)
		_, _ = w.Write(said.Body.Bytes()) // who has hung up has no answer
	})
}

// exchange names a call, and returns what is wrong with it and its answer.
func (d *Document) exchange(r *http.Request, body []byte, status int, answer []byte) (call string, all []Violation) {
	o, values := d.find(r.Method, r.URL.EscapedPath())
	if o == nil {
		call = d.name + " " + r.Method + " " + r.URL.Path
		return call, []Violation{{call, "path", "is unknown"}}
	}
	call = d.name + " " + o.method + " " + o.route
	add := func(where string, found []finding) {
		for _, f := range found {
			all = append(all, Violation{call, where + f.at, f.what})
		}
	}
	add("path", d.checkPath(o, values))
	add("query", d.checkQuery(o, r.URL.Query()))
	add("body", d.checkBody(o, r.Header.Get("Content-Type"), body))
	add("answer", d.checkAnswer(o, status, answer))
	return call, all
}

// simple is a text of a path, a query or a form as a value of a schema.
func simple(s *schema, text string) any {
	switch s.Type {
	case "integer", "number":
		return json.Number(text)
	case "boolean":
		if text == "true" || text == "false" {
			return text == "true"
		}
	}
	return text
}

func (d *Document) checkPath(o *operation, values map[string]string) (found []finding) {
	for _, p := range o.parameters {
		if p.In == "path" {
			text, err := url.PathUnescape(values[p.Name])
			if err != nil {
				found = append(found, finding{"." + p.Name, err.Error()})
			}
			if text != "" || p.Required {
				found = d.check(p.schema, simple(p.schema, text), "."+p.Name, found)
			}
		}
	}
	return found
}

func (d *Document) checkQuery(o *operation, query url.Values) (found []finding) {
	for _, name := range slices.Sorted(maps.Keys(query)) {
		i := slices.IndexFunc(o.parameters, func(p *parameter) bool { return p.In == "query" && p.Name == name })
		if i < 0 {
			found = append(found, finding{"." + name, "is unknown"})
			continue
		}
		found = d.checkParameter(o.parameters[i], query[name], found)
	}
	for _, p := range o.parameters {
		if p.In == "query" && p.Required && !query.Has(p.Name) {
			found = append(found, finding{"." + p.Name, "is missing"})
		}
	}
	return found
}

func (d *Document) checkParameter(p *parameter, values []string, found []finding) []finding {
	at := "." + p.Name
	if p.Many != "" {
		for _, text := range values {
			found = d.check(p.schema.Items, simple(p.schema.Items, text), at, found)
		}
		return found
	}
	if len(values) > 1 {
		found = append(found, finding{at, "comes more than once"})
	}
	if len(p.Content) == 0 {
		return d.check(p.schema, simple(p.schema, values[0]), at, found)
	}
	value, err := decode([]byte(values[0]))
	if err != nil {
		return append(found, finding{at, "is no JSON"})
	}
	return d.check(p.schema, value, at, found)
}

func (d *Document) checkBody(o *operation, contentType string, body []byte) []finding {
	kind, _, _ := mime.ParseMediaType(contentType)
	switch {
	case len(body) == 0 && o.bodyNeeded:
		return []finding{{"", "is missing"}}
	case len(body) == 0:
		return nil
	case o.body == nil:
		return []finding{{"", "is there, and the call has none"}}
	case kind == "application/x-www-form-urlencoded" && o.forms:
		return d.checkForm(o.body, string(body))
	case kind != jsonType:
		return []finding{{"", fmt.Sprintf("is %q, which the call does not take", contentType)}}
	}
	value, err := decode(body)
	if err != nil {
		return []finding{{"", "is no JSON"}}
	}
	return d.check(o.body, value, "", nil)
}

func (d *Document) checkForm(s *schema, body string) []finding {
	values, err := url.ParseQuery(body)
	if err != nil {
		return []finding{{"", "is no form"}}
	}
	object := map[string]any{}
	for name := range values {
		object[name] = values.Get(name)
		if field := s.Properties[name]; field != nil {
			object[name] = simple(field, values.Get(name))
		}
	}
	return d.check(s, object, "", nil)
}

// outstanding is an error that V2's pages have and its document has not: its
// page on Idempotency-Key.
const outstanding = "IDEMPOTENCY_OUTSTANDING_REQUEST"

func (d *Document) checkAnswer(o *operation, status int, body []byte) []finding {
	answer, known := o.answers[fmt.Sprint(status)]
	value, err := decode(body)
	object, _ := value.(map[string]any)
	switch {
	case !known:
		return []finding{{"", fmt.Sprintf("has the status %d, which the call does not have", status)}}
	case err != nil:
		return []finding{{"", "is no JSON"}}
	case o.method == http.MethodPost && status == http.StatusConflict && object["type"] == outstanding:
		return nil
	}
	s := answer.schema()
	found := d.check(s, value, "", nil)
	if one := errorOf(s, object); one != "" && !strings.Contains(answer.Description, "`"+one+"`") {
		found = append(found, finding{
			".type",
			fmt.Sprintf("%v comes with the status %d, and is none of its errors", object["type"], status),
		})
	}
	return found
}

// errorOf is the name of the error that an answer of V2's is, which the description
// of each status lists; empty where it is none.
func errorOf(s *schema, object map[string]any) string {
	for s != nil && s.to != nil {
		s = s.to
	}
	if s == nil || s.Discriminator == nil || s.Discriminator.PropertyName != "type" {
		return ""
	}
	reference := s.Discriminator.Mapping[fmt.Sprint(object["type"])]
	return reference[strings.LastIndex(reference, "/")+1:]
}
