package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// parseJSON reads JSON as the YAML that it is, in a time that grows with its
// length: YAML's lexer takes the square of it, and more, for some texts.
func parseJSON(name string, text []byte) (ast.Node, error) {
	p := jsonParser{text: text, line: 1, decoder: json.NewDecoder(bytes.NewReader(text))}
	p.decoder.UseNumber()
	node, err := p.next(0)
	if err == nil {
		if _, more := p.decoder.Token(); more != io.EOF {
			err = errors.New("something follows its end")
		}
	}
	if err != nil {
		p.seek()
		return nil, fmt.Errorf("%s:%d: this is no JSON of a sale: %w", name, p.line, err)
	}
	return node, nil
}

// jsonParser turns a stream of JSON's tokens into nodes.
type jsonParser struct {
	text    []byte
	decoder *json.Decoder
	offset  int // up to which lines were counted
	line    int
}

// seek counts the lines up to the end of the latest token.
func (p *jsonParser) seek() {
	end := int(p.decoder.InputOffset())
	p.line += bytes.Count(p.text[p.offset:end], []byte("\n"))
	p.offset = end
}

// next reads a value that lies within so many others.
func (p *jsonParser) next(depth int) (ast.Node, error) {
	t, err := p.decoder.Token()
	if err != nil {
		return nil, err
	}
	p.seek()
	at := &token.Position{Line: p.line, Column: 1}
	switch t := t.(type) {
	case json.Delim:
		if depth == maxNesting {
			return nil, errNesting
		}
		if t == '[' {
			return p.list(at, depth+1)
		}
		return p.mapping(at, depth+1)
	case string:
		return ast.String(token.DoubleQuote(t, t, at)), nil
	case json.Number:
		return ast.Integer(token.New(t.String(), t.String(), at)), nil
	case bool:
		text := fmt.Sprint(t)
		return ast.Bool(token.New(text, text, at)), nil
	}
	return ast.Null(token.New("null", "null", at)), nil
}

func (p *jsonParser) list(at *token.Position, depth int) (ast.Node, error) {
	list := ast.Sequence(token.New("[", "[", at), true)
	for p.decoder.More() {
		item, err := p.next(depth)
		if err != nil {
			return nil, err
		}
		list.Values = append(list.Values, item)
	}
	_, err := p.decoder.Token() // its end
	return list, err
}

func (p *jsonParser) mapping(at *token.Position, depth int) (ast.Node, error) {
	m := ast.Mapping(token.New("{", "{", at), true)
	for p.decoder.More() {
		if len(m.Values) == maxEntries {
			return nil, errEntries
		}
		key, err := p.next(depth)
		if err != nil {
			return nil, err
		}
		value, err := p.next(depth)
		if err != nil {
			return nil, err
		}
		m.Values = append(m.Values,
			ast.MappingValue(token.New(":", ":", key.GetToken().Position), key.(ast.MapKeyNode), value))
	}
	_, err := p.decoder.Token() // its end
	return m, err
}
