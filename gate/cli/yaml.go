package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/flashgate/flashgate/gate"
)

const maxFaults = 20 // told at once

// parseText reads a sale file, or one sale, as the nodes of YAML. JSON is read by
// a parser of its own; what is YAML alone may have so many bytes.
func parseText(name string, text []byte, mostYAML int) (ast.Node, error) {
	if bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{")) && json.Valid(text) {
		return parseJSON(name, text)
	}
	if len(text) > mostYAML {
		return nil, fmt.Errorf("%s: of more than %d bytes it must be valid JSON, and this is not", name, mostYAML)
	}
	if line, fault := untame(text); fault != "" {
		return nil, fmt.Errorf("%s:%d: %s", name, line, fault)
	}
	tokens := lexer.Tokenize(string(text))
	if line, err := tooMuch(tokens); err != nil {
		return nil, fmt.Errorf("%s:%d: %w", name, line, err)
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	var syntax yaml.Error
	switch {
	case errors.As(err, &syntax):
		return nil, fmt.Errorf("%s:%d: this is no YAML: %s", name, syntax.GetToken().Position.Line, syntax.GetMessage())
	case err != nil:
		return nil, fmt.Errorf("%s: this is no YAML: %w", name, err)
	}
	return onlyDocument(name, file.Docs)
}

// onlyDocument returns what a file is of. The parser takes a directive, such as
// %YAML 1.2, for a document of its own.
func onlyDocument(name string, docs []*ast.DocumentNode) (ast.Node, error) {
	var bodies []ast.Node
	for _, doc := range docs {
		directive, is := doc.Body.(*ast.DirectiveNode)
		switch {
		case !is:
			bodies = append(bodies, doc.Body)
		case directive.String() != "%YAML 1.2":
			return nil, fmt.Errorf("%s:%d: the only directive that is read is %%YAML 1.2, not %.60q; remove the line",
				name, directive.GetToken().Position.Line, directive.String())
		}
	}
	if len(bodies) != 1 {
		return nil, fmt.Errorf("%s: a sale file is one YAML document; remove its --- and ... lines", name)
	}
	return bodies[0], nil
}

// reader turns YAML values into sales and gathers what is wrong with them. A
// method that reports a fault lets the reading go on; what it returns is of no use.
type reader struct {
	file   string
	faults []fault
}

type fault struct {
	line int
	text string
}

// value is a YAML value and where it stands, by line and by a path such as
// "sales[0].hold".
type value struct {
	node ast.Node
	line int
	path string
}

// field is one that a mapping may have.
type field struct {
	name   string
	needed bool
	read   func(value)
}

const required, optional = true, false

// lines holds the line on which each name was given.
type lines map[string]int

func (r *reader) fault(v value, format string, args ...any) {
	text := fmt.Sprintf("%s:%d: %s: %s", r.file, v.line, v.path, fmt.Sprintf(format, args...))
	r.faults = append(r.faults, fault{v.line, text})
}

func (r *reader) err() error {
	slices.SortStableFunc(r.faults, func(a, b fault) int { return cmp.Compare(a.line, b.line) })
	var errs []error
	for _, f := range r.faults[:min(len(r.faults), maxFaults)] {
		errs = append(errs, errors.New(f.text))
	}
	if more := len(r.faults) - maxFaults; more > 0 {
		errs = append(errs, fmt.Errorf("and %d more", more))
	}
	return errors.Join(errs...)
}

// integer reads digits only: YAML's octal, hexadecimal and underscored forms
// mean different numbers to different readers.
func (r *reader) integer(v value, low, high int64) int64 {
	t := v.node.GetToken()
	quoted := t.Type == token.SingleQuoteType || t.Type == token.DoubleQuoteType
	n, err := strconv.ParseInt(t.Value, 10, 64)
	switch {
	case quoted, errors.Is(err, strconv.ErrSyntax), err == nil && strconv.FormatInt(n, 10) != t.Value:
		r.wrong(v, "a whole number in plain digits")
	case err != nil, n < low, n > high:
		r.fault(v, "must be between %d and %d, not %.60s", low, high, t.Value)
	}
	return n
}

func (r *reader) boolean(v value) bool {
	n, ok := v.node.(*ast.BoolNode)
	if !ok || n.GetToken().Value != strconv.FormatBool(n.Value) {
		r.wrong(v, "true or false")
		return false
	}
	return n.Value
}

func (r *reader) text(v value, want string) (string, bool) {
	switch n := v.node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	}
	r.wrong(v, want)
	return "", false
}

// list returns the items of a list; a field without a value is an empty one.
func (r *reader) list(v value, low, high int) []value {
	var items []value
	switch n := v.node.(type) {
	case *ast.SequenceNode:
		for i, item := range n.Values {
			items = append(items, value{item, item.GetToken().Position.Line, fmt.Sprintf("%s[%d]", v.path, i)})
		}
	case *ast.NullNode:
	default:
		r.wrong(v, "a list")
		return nil
	}
	if len(items) < low || len(items) > high {
		r.fault(v, "must list %d to %d, not %d", low, high, len(items))
		return nil
	}
	return items
}

func (r *reader) mapping(v value, fields []field) {
	m, ok := v.node.(*ast.MappingNode)
	if !ok {
		r.wrong(v, "a mapping")
		return
	}
	join := func(name string) string { return strings.TrimPrefix(v.path+"."+name, ".") }
	seen := make(lines)
	for _, entry := range m.Values {
		key := entry.Key.GetToken()
		name, line := key.Value, key.Position.Line
		at := value{entry.Value, line, join(name)}
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		if i < 0 {
			if !gate.ValidName(name) {
				at.path = join(fmt.Sprintf("%.60q", name))
			}
			r.fault(at, "unknown field; %s", hint(name, fields))
		} else if first, again := seen[name]; again {
			r.fault(at, "already set on line %d", first)
		} else {
			seen[name] = line
			fields[i].read(at)
		}
	}
	for _, f := range fields {
		if f.needed && seen[f.name] == 0 {
			r.fault(value{line: v.line, path: join(f.name)}, "missing, and needed")
		}
	}
}

func (r *reader) wrong(v value, want string) {
	switch n := v.node.(type) {
	case *ast.NullNode:
		r.fault(v, "has no value; it must be %s", want)
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		r.fault(v, "anchors (&), aliases (*) and tags (!) are not read; write the value itself")
	case *ast.MappingNode:
		r.fault(v, "must be %s, not a mapping", want)
	case *ast.SequenceNode:
		r.fault(v, "must be %s, not a list", want)
	default:
		r.fault(v, "must be %s, not %.60q", want, n.GetToken().Value)
	}
}

// hint names the field that was probably meant, or all that there are.
func hint(name string, fields []field) string {
	best, distance := "", 3
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
		if d := distinct(strings.ToLower(name), f.name); d < distance {
			best, distance = f.name, d
		}
	}
	if best == "" {
		return "the fields here are " + strings.Join(names, ", ")
	}
	return "did you mean " + best + "?"
}

// distinct counts the bytes of the longer name that lie between what the two
// begin and what they end with alike.
func distinct(a, b string) int {
	short, long := min(len(a), len(b)), max(len(a), len(b))
	alike := 0
	for alike < short && a[alike] == b[alike] {
		alike++
	}
	for end := 1; alike < short && a[len(a)-end] == b[len(b)-end]; end++ {
		alike++
	}
	return long - alike
}
