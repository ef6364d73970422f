package schemas

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// schema is what a value must be. Keywords that are not here make a document unreadable.
type schema struct {
	Ref           string             `json:"$ref"`
	Type          string             `json:"type"`
	Format        string             `json:"format"`
	Enum          []any              `json:"enum"`
	Required      []string           `json:"required"`
	Properties    map[string]*schema `json:"properties"`
	Items         *schema            `json:"items"`
	AllOf         []*schema          `json:"allOf"`
	OneOf         []*schema          `json:"oneOf"`
	Discriminator *discriminator     `json:"discriminator"`
	MaxLength     bound              `json:"maxLength"`
	Minimum       bound              `json:"minimum"`
	Maximum       bound              `json:"maximum"`
	Nullable      bool               `json:"nullable"`

	to *schema // what Ref refers to
}

// discriminator tells by a field's value which of several schemas is meant.
type discriminator struct {
	PropertyName string            `json:"propertyName"`
	Mapping      map[string]string `json:"mapping"`
	to           map[string]*schema
}

// bound is a number, which V1's document has in quotes.
type bound struct {
	is bool
	n  float64
}

// UnmarshalJSON implements json.Unmarshaler.
func (b *bound) UnmarshalJSON(text []byte) (err error) {
	b.is = true
	b.n, err = strconv.ParseFloat(strings.Trim(string(text), `"`), 64)
	return err
}

// silent are the keywords that demand nothing.
func silent() []string {
	return []string{"title", "description", "summary", "example", "default", "deprecated"}
}

// UnmarshalJSON reads a schema, and refuses one with a keyword that is not understood.
func (s *schema) UnmarshalJSON(text []byte) error {
	type plain schema
	var keywords map[string]json.RawMessage
	if err := json.Unmarshal(text, &keywords); err != nil {
		return err
	}
	for _, name := range silent() {
		delete(keywords, name)
	}
	maps.DeleteFunc(keywords, func(name string, _ json.RawMessage) bool { return strings.HasPrefix(name, "x-") })
	rest, err := json.Marshal(keywords)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(strings.NewReader(string(rest)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode((*plain)(s)); err != nil {
		return fmt.Errorf("a schema that is not understood: %w", err)
	}
	if s.Format != "" && !slices.Contains([]string{"int32", "int64", "date-time"}, s.Format) {
		return fmt.Errorf("a schema that is not understood: the format %q", s.Format)
	}
	return nil
}

// finding is what is wrong with a value, and where in it.
type finding struct{ at, what string }

// check appends what is wrong with a value.
func (d *Document) check(s *schema, value any, at string, found []finding) []finding {
	switch {
	case s == nil:
		return found
	case s.to != nil:
		return d.check(s.to, value, at, found)
	case value == nil && s.Nullable:
		return found
	case value == nil:
		return append(found, finding{at, "is null"})
	case s.Discriminator != nil:
		return d.checkOne(s, value, at, found)
	case len(s.OneOf) > 0:
		for _, one := range s.OneOf {
			if len(d.check(one, value, at, nil)) == 0 {
				return found
			}
		}
		return append(found, finding{at, "is none of what it may be"})
	}
	if len(s.Enum) > 0 && !slices.ContainsFunc(s.Enum,
		func(one any) bool { return fmt.Sprint(one) == fmt.Sprint(value) }) {
		found = append(found, finding{at, fmt.Sprintf("%v is not among its values", value)})
	}
	if fields := d.fields(s); fields != nil || s.Type == "object" {
		return d.checkObject(fields, value, at, found)
	}
	if s.Type == "array" {
		return d.checkArray(s, value, at, found)
	}
	return append(found, s.checkPlain(value, at)...)
}

// checkOne checks against the schema that the value itself names.
func (d *Document) checkOne(s *schema, value any, at string, found []finding) []finding {
	object, ok := value.(map[string]any)
	if !ok {
		return append(found, finding{at, fmt.Sprintf("is %s, not an object", kind(value))})
	}
	name := s.Discriminator.PropertyName
	one := s.Discriminator.to[fmt.Sprint(object[name])]
	if one == nil {
		return append(found, finding{at + "." + name, fmt.Sprintf("%v is not among its values", object[name])})
	}
	return d.check(one, value, at, found)
}

// members are the fields of an object, and which of them it must have.
type members struct {
	fields   map[string]*schema
	required []string
}

// fields returns the fields of a schema with those of what it is made of; nil where
// it is no object.
func (d *Document) fields(s *schema) *members {
	if s.to != nil {
		return d.fields(s.to)
	}
	if s.Type != "" && s.Type != "object" || len(s.Properties) == 0 && len(s.AllOf) == 0 {
		return nil
	}
	m := &members{maps.Clone(s.Properties), s.Required}
	if m.fields == nil {
		m.fields = map[string]*schema{}
	}
	for _, part := range s.AllOf {
		if inner := d.fields(part); inner != nil {
			maps.Copy(m.fields, inner.fields)
			m.required = slices.Concat(m.required, inner.required)
		}
	}
	return m
}

func (d *Document) checkObject(m *members, value any, at string, found []finding) []finding {
	object, ok := value.(map[string]any)
	switch {
	case !ok:
		return append(found, finding{at, fmt.Sprintf("is %s, not an object", kind(value))})
	case m == nil:
		m = &members{}
	}
	for _, name := range m.required {
		// V1's document requires of one schema fields that it does not have.
		if _, has := object[name]; !has && m.fields[name] != nil {
			found = append(found, finding{at + "." + name, "is missing"})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		field := m.fields[name]
		switch {
		case field == nil:
			found = append(found, finding{at + "." + name, "is unknown"})
		case object[name] == nil && d.nulls && !slices.Contains(m.required, name):
		default:
			found = d.check(field, object[name], at+"."+name, found)
		}
	}
	return found
}

func (d *Document) checkArray(s *schema, value any, at string, found []finding) []finding {
	list, ok := value.([]any)
	if !ok {
		return append(found, finding{at, fmt.Sprintf("is %s, not a list", kind(value))})
	}
	for i, item := range list {
		found = d.check(s.Items, item, fmt.Sprintf("%s[%d]", at, i), found)
	}
	return found
}

// checkPlain checks a text, a number or a truth.
func (s *schema) checkPlain(value any, at string) []finding {
	wrong := func(want string) []finding { return []finding{{at, fmt.Sprintf("is %s, not %s", kind(value), want)}} }
	switch s.Type {
	case "string":
		text, ok := value.(string)
		switch {
		case !ok:
			return wrong("a text")
		case s.MaxLength.is && float64(utf8.RuneCountInString(text)) > s.MaxLength.n:
			return []finding{{at, fmt.Sprintf("is longer than %v characters", s.MaxLength.n)}}
		case s.Format == "date-time":
			if _, err := time.Parse(time.RFC3339Nano, text); err != nil {
				return []finding{{at, fmt.Sprintf("%q is no time of RFC 3339", text)}}
			}
		}
	case "integer", "number":
		return s.checkNumber(value, at, wrong)
	case "boolean":
		if _, ok := value.(bool); !ok {
			return wrong("true or false")
		}
	}
	return nil
}

func (s *schema) checkNumber(value any, at string, wrong func(string) []finding) []finding {
	number, ok := value.(json.Number)
	if !ok {
		return wrong("a number")
	}
	if s.Type == "integer" {
		bits := 64
		if s.Format == "int32" {
			bits = 32
		}
		if _, err := strconv.ParseInt(number.String(), 10, bits); err != nil {
			return []finding{{at, fmt.Sprintf("%s is no whole number of %d bits", number, bits)}}
		}
	}
	n, err := number.Float64()
	if err != nil || s.Minimum.is && n < s.Minimum.n || s.Maximum.is && n > s.Maximum.n {
		return []finding{{at, fmt.Sprintf("%s is out of bounds", number)}}
	}
	return nil
}

// kind names what a JSON value is.
func kind(value any) string {
	switch value.(type) {
	case string:
		return "a text"
	case json.Number:
		return "a number"
	case bool:
		return "true or false"
	case []any:
		return "a list"
	}
	return "an object"
}
