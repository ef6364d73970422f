// Package schemas holds calls of PortOne's REST APIs, and what is answered, against
// PortOne's own documents: V1's Swagger 2 and V2's OpenAPI 3. They are PortOne's and
// not part of this repository; `make schemas SCHEMAS=DIR` takes them from a folder.
//
// It is stricter than the documents: a field, a parameter or an answer's status
// that they do not name is a violation, for neither the gate nor its simulator may
// rely on what PortOne does not say. A document with a keyword that is not
// understood here is refused: nothing passes because nobody looked.
package schemas

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
)

// Document is one of PortOne's documents.
type Document struct {
	name       string
	operations []*operation
	schemas    map[string]*schema // by the reference to it
	nulls      bool               // V1's optional fields may be null, as its answers show
}

// operation is a call that a document has.
type operation struct {
	method, route string
	segments      []string // of the route; those in braces stand for any
	optional      bool     // the last segment may be missing
	parameters    []*parameter
	body          *schema // nil if there is no body
	bodyNeeded    bool
	forms         bool // the body may be a form
	answers       map[string]response
}

// parameter is one of a path, a query or, in V1, a form.
type parameter struct {
	Name     string             `json:"name"`
	In       string             `json:"in"`
	Required bool               `json:"required"`
	Many     string             `json:"collectionFormat"`
	Content  map[string]content `json:"content"`
	Schema   *schema            `json:"schema"`
	schema   *schema
}

// content is a body in one of its forms.
type content struct {
	Schema *schema `json:"schema"`
}

// response is an answer with one status.
type response struct {
	Description string             `json:"description"`
	Schema      *schema            `json:"schema"`
	Content     map[string]content `json:"content"`
}

// schema is the answer's body; nil where the document says nothing of it.
func (r response) schema() *schema {
	if c, ok := r.Content[jsonType]; ok {
		return c.Schema
	}
	return r.Schema
}

const jsonType = "application/json"

// V1 reads V1's document, v1.json, from a folder.
func V1(folder string) (*Document, error) { return read(folder, "v1") }

// V2 reads V2's document, v2.json, from a folder.
func V2(folder string) (*Document, error) { return read(folder, "v2") }

func read(folder, name string) (*Document, error) {
	file := path.Join(folder, name+".json")
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("PortOne's document of %s cannot be read, the folder must have v1.json and v2.json: %w",
			name, err)
	}
	d, err := Parse(name, text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return d, nil
}

// raw is what both kinds of documents have, and each of them.
type raw struct {
	Swagger     string                        `json:"swagger"`
	OpenAPI     string                        `json:"openapi"`
	Paths       map[string]map[string]rawCall `json:"paths"`
	Definitions map[string]*schema            `json:"definitions"`
	Components  struct {
		Schemas map[string]*schema `json:"schemas"`
	} `json:"components"`
}

type rawCall struct {
	Parameters []*parameter `json:"parameters"`
	Consumes   []string     `json:"consumes"`
	Body       *struct {
		Required bool               `json:"required"`
		Content  map[string]content `json:"content"`
	} `json:"requestBody"`
	Responses map[string]response `json:"responses"`
}

// Parse reads a document. Its name is used in violations.
func Parse(name string, text []byte) (*Document, error) {
	var r raw
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, err
	}
	d := &Document{name: name, schemas: map[string]*schema{}, nulls: r.Swagger != ""}
	for id, s := range r.Definitions {
		d.schemas["#/definitions/"+id] = s
	}
	for id, s := range r.Components.Schemas {
		d.schemas["#/components/schemas/"+id] = s
	}
	for route, calls := range r.Paths {
		for method, call := range calls {
			d.operations = append(d.operations, call.operation(method, route))
		}
	}
	if len(d.operations) == 0 || (r.Swagger == "") == (r.OpenAPI == "") {
		return nil, fmt.Errorf("it is no document of Swagger 2 or OpenAPI 3 with paths")
	}
	// Of two routes that fit, the one with fewer segments for anything is meant.
	slices.SortFunc(d.operations, func(a, b *operation) int {
		return strings.Compare(strings.ReplaceAll(a.route, "{", "\xff"), strings.ReplaceAll(b.route, "{", "\xff"))
	})
	return d, d.resolved()
}

func (c rawCall) operation(method, route string) *operation {
	o := &operation{
		method: strings.ToUpper(method), route: route, segments: strings.Split(strings.Trim(route, "/"), "/"),
		answers: c.Responses, forms: slices.Contains(c.Consumes, "application/x-www-form-urlencoded"),
	}
	form := &schema{Type: "object", Properties: map[string]*schema{}}
	for _, p := range c.Parameters {
		p.schema = cmpOr(p.Content[jsonType].Schema, p.Schema, p.schema)
		switch p.In {
		case "formData":
			form.Properties[p.Name] = p.schema
			if p.Required {
				form.Required = append(form.Required, p.Name)
			}
			o.body = form
		case "path":
			last := o.segments[len(o.segments)-1]
			o.optional = o.optional || !p.Required && last == "{"+p.Name+"}"
			o.parameters = append(o.parameters, p)
		default:
			o.parameters = append(o.parameters, p)
		}
	}
	if c.Body != nil {
		o.body, o.bodyNeeded = c.Body.Content[jsonType].Schema, c.Body.Required
	}
	o.bodyNeeded = o.bodyNeeded || len(form.Required) > 0
	return o
}

func cmpOr(all ...*schema) *schema {
	for _, s := range all {
		if s != nil {
			return s
		}
	}
	return nil
}

// UnmarshalJSON reads a parameter, which is a schema itself in Swagger 2.
func (p *parameter) UnmarshalJSON(text []byte) error {
	type plain parameter
	if err := json.Unmarshal(text, (*plain)(p)); err != nil {
		return err
	}
	if p.Schema != nil || len(p.Content) > 0 {
		return nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return err
	}
	for _, name := range []string{"name", "in", "required", "collectionFormat"} {
		delete(fields, name)
	}
	rest, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	p.schema = new(schema)
	return json.Unmarshal(rest, p.schema)
}

// resolved makes of each reference what it refers to.
func (d *Document) resolved() error {
	for _, s := range d.schemas {
		if err := d.resolve(s); err != nil {
			return err
		}
	}
	for _, o := range d.operations {
		all := []*schema{o.body}
		for _, p := range o.parameters {
			all = append(all, p.schema)
		}
		for _, a := range o.answers {
			all = append(all, a.schema())
		}
		for _, s := range all {
			if err := d.resolve(s); err != nil {
				return fmt.Errorf("%s %s: %w", o.method, o.route, err)
			}
		}
	}
	return nil
}

func (d *Document) resolve(s *schema) error {
	if s == nil {
		return nil
	}
	inner := slices.Concat(s.AllOf, s.OneOf, []*schema{s.Items})
	for _, p := range s.Properties {
		inner = append(inner, p)
	}
	for _, i := range inner {
		if err := d.resolve(i); err != nil {
			return err
		}
	}
	references := map[string]**schema{}
	if s.Ref != "" {
		references[s.Ref] = &s.to
	}
	if s.Discriminator != nil {
		s.Discriminator.to = map[string]*schema{}
		for value, reference := range s.Discriminator.Mapping {
			if d.schemas[reference] == nil {
				return fmt.Errorf("%s is referred to and missing", reference)
			}
			s.Discriminator.to[value] = d.schemas[reference]
		}
	}
	for reference, to := range references {
		if *to = d.schemas[reference]; *to == nil {
			return fmt.Errorf("%s is referred to and missing", reference)
		}
	}
	return nil
}

// find returns the operation of a call, nil for none, and the values of its path.
func (d *Document) find(method, rawPath string) (*operation, map[string]string) {
	segments := strings.Split(strings.TrimPrefix(rawPath, "/"), "/")
	for _, o := range d.operations {
		if values, ok := o.matches(segments); ok && o.method == method {
			return o, values
		}
	}
	return nil, nil
}

// matches reports whether a path is the operation's. An optional last segment may be
// empty or missing.
func (o *operation) matches(segments []string) (map[string]string, bool) {
	if o.optional && len(segments) == len(o.segments)-1 {
		segments = append(slices.Clone(segments), "")
	}
	if len(segments) != len(o.segments) {
		return nil, false
	}
	values := map[string]string{}
	for i, want := range o.segments {
		last := i == len(segments)-1
		switch name, isParameter := strings.CutPrefix(want, "{"); {
		case isParameter && (segments[i] != "" || o.optional && last):
			values[strings.TrimSuffix(name, "}")] = segments[i]
		case isParameter || segments[i] != want:
			return nil, false
		}
	}
	return values, true
}

// decode reads one JSON text, with its numbers as they are written.
func decode(text []byte) (value any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err = decoder.Decode(&value); err == nil && decoder.More() {
		err = io.ErrUnexpectedEOF
	}
	return value, err
}
