package cli

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// What a sale file has less of.
const (
	maxNesting = 8   // lists and mappings within one another
	maxEntries = 64  // of one mapping
	maxBlank   = 100 // empty lines in a row
	maxMarks   = 2   // of documents
	manyLess   = "<<<<<<<<"
)

var (
	errNesting = errors.New("lists and mappings are nested too deep")
	errEntries = fmt.Errorf("a mapping has more than %d entries; none of a sale file has so many fields", maxEntries)
)

// untame returns what the lexer cannot read, or only in a time that grows with its
// square, and the line.
func untame(text []byte) (line int, fault string) {
	blank, marks := 0, 0
	for content := range bytes.SplitSeq(text, []byte("\n")) {
		line++
		if blank++; len(bytes.TrimSpace(content)) > 0 {
			blank = 0
		}
		if bytes.HasPrefix(content, []byte("---")) || bytes.HasPrefix(content, []byte("...")) {
			marks++
		}
		switch {
		case !utf8.Valid(content):
			return line, "this is not UTF-8; save the file in that encoding"
		case blank > maxBlank:
			return line, fmt.Sprintf("more than %d lines in a row are empty; remove them", maxBlank)
		case marks > maxMarks:
			return line, "a sale file is one YAML document; remove its --- and ... lines"
		case bytes.Contains(content, []byte(manyLess)):
			return line, "so many < in a row are no YAML of a sale file; remove them"
		}
	}
	return 0, ""
}

// tooMuch returns what the parser would take too long for, and the line. For each
// level it recurses and keeps a path, so that a megabyte of brackets would take all
// memory; and it copies a mapping's entries again for each of them, so that a quarter of
// a megabyte of "a: 1" would take a processor for ten seconds.
func tooMuch(tokens token.Tokens) (line int, err error) {
	var open nesting
	start := 0 // column of what the line says, without its dashes
	for i, t := range tokens {
		column := t.Position.Column
		if t.Position.Line != line {
			line, start = t.Position.Line, 0
		}
		first := start == 0
		if first && t.Type != token.SequenceEntryType {
			start = column
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			open = append(open, level{})
		case token.SequenceEndType, token.MappingEndType:
			open = open.closed()
		case token.SequenceEntryType:
			open = open.at(column)
		case token.MappingKeyType:
			open = open.at(column)
			open[len(open)-1].entries++
		case token.MappingValueType:
			switch {
			case start < 0: // not the first of its line
				column = tokens[i-1].Position.Column
			case !first:
				column = start
			}
			start = -1
			open = open.at(column)
			open[len(open)-1].entries++
		}
		switch {
		case len(open) > maxNesting:
			return line, errNesting
		case len(open) > 0 && open[len(open)-1].entries > maxEntries:
			return line, errEntries
		}
	}
	return 0, nil
}

// nesting is the lists and mappings that are open at a place of a file, from the
// outside in.
type nesting []level

// level is one of them: in brackets, or by indentation at a column from 1 on.
type level struct{ column, entries int }

// closed leaves the innermost brackets.
func (n nesting) closed() nesting {
	for len(n) > 0 && n[len(n)-1].column > 0 {
		n = n[:len(n)-1]
	}
	return n[:max(0, len(n)-1)]
}

// at goes to the column, in brackets to these.
func (n nesting) at(column int) nesting {
	for len(n) > 0 && n[len(n)-1].column > column {
		n = n[:len(n)-1]
	}
	if len(n) == 0 || 0 < n[len(n)-1].column && n[len(n)-1].column < column {
		n = append(n, level{column: column})
	}
	return n
}
