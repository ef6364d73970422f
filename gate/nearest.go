package gate

import (
	"cmp"
	"slices"
	"strings"
)

// Nearest returns at most most of the words, the nearest first: those that become text by the
// fewest changes of one byte.
func Nearest(text string, words []string, most int) []string {
	sorted := slices.Clone(words)
	slices.SortFunc(sorted, func(a, b string) int {
		return cmp.Or(cmp.Compare(distance(text, a), distance(text, b)), strings.Compare(a, b))
	})
	return sorted[:min(most, len(sorted))]
}

// DidYouMean returns a question that suggests the nearest of the words; empty if no words are
// given.
func DidYouMean(text string, words []string) string {
	nearest := Nearest(text, words, 3)
	if len(nearest) == 0 {
		return ""
	}
	last := len(nearest) - 1
	asked := strings.Join(nearest[:last], ", ")
	if asked != "" {
		asked += " or "
	}
	return "did you mean " + asked + nearest[last] + "?"
}

// distance is the Levenshtein distance: the bytes to insert, remove or change to turn a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			changed := diagonal
			if a[i] != b[j] {
				changed++
			}
			diagonal = row[j+1]
			row[j+1] = min(changed, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
