package main

import (
	"regexp"
	"strings"
)

// luaMutants returns the mutants of a script, each a build of its own: every
// condition of an if, and every operand of and and or, in it or in what is
// assigned or returned. A condition stands in one line.
func luaMutants(file, source string) (mutants []*mutant) {
	condition := regexp.MustCompile(`\b(?:if|elseif) (.+?) then\b`)
	value := regexp.MustCompile(`(?:^|\bthen) *(?:return |[\w, ]+ = )(.+?)(?: end)?$`)
	comment := regexp.MustCompile(`(?:^| )--.*`)
	function := regexp.MustCompile(`^local function (\w+)`)
	scope, start := "script", 0
	for i, line := range strings.SplitAfter(source, "\n") {
		code := comment.ReplaceAllString(strings.TrimSuffix(line, "\n"), "")
		if name := function.FindStringSubmatch(code); name != nil {
			scope = name[1]
		} else if strings.HasPrefix(code, "end") {
			scope = "script"
		}
		add := func(from, to int, text, instead string) {
			changed := source[:start+from] + instead + source[start+to:]
			mutants = append(mutants, &mutant{
				file: file, line: i + 1, scope: scope, text: text,
				build: &build{overlay: map[string]string{file: changed}},
			})
		}
		for _, at := range condition.FindAllStringSubmatchIndex(code, -1) {
			add(at[2], at[3], code[at[2]:at[3]], "false")
			luaOperands(code, at[2], at[3], add)
		}
		for _, at := range value.FindAllStringSubmatchIndex(code, -1) {
			from := at[2]
			for _, comma := range append(luaCuts(code[at[2]:at[3]], ", "), at[3]-at[2]) {
				luaOperands(code, from, at[2]+comma, add)
				from = at[2] + comma + len(", ")
			}
		}
		start += len(line)
	}
	return mutants
}

// luaOperands adds each operand of the expression in code[from:to]: of or, which
// binds least, else of and, and those within.
func luaOperands(code string, from, to int, add func(from, to int, text, instead string)) {
	for from < to && code[from] == '(' && luaClosing(code, from) == to-1 {
		from, to = from+1, to-1
	}
	for _, op := range []struct{ word, neutral string }{{" or ", "false"}, {" and ", "true"}} {
		cuts := luaCuts(code[from:to], op.word)
		if len(cuts) == 0 {
			continue
		}
		whole, at := code[from:to], from
		for _, cut := range append(cuts, to-from) {
			end := from + cut
			add(at, end, code[at:end]+" of "+whole, op.neutral)
			luaOperands(code, at, end, add)
			at = end + len(op.word)
		}
		return
	}
}

// luaCuts returns where a word stands outside of all brackets.
func luaCuts(expression, word string) (cuts []int) {
	depth := 0
	for i := range len(expression) {
		switch expression[i] {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		}
		if depth == 0 && strings.HasPrefix(expression[i:], word) {
			cuts = append(cuts, i)
		}
	}
	return cuts
}

// luaClosing returns where the bracket that opens at from is closed.
func luaClosing(code string, from int) int {
	depth := 0
	for i := from; i < len(code); i++ {
		switch code[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}
