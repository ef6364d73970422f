package gate

import (
	"cmp"
	"slices"
	"strings"
)

// Nearest returns the words that become text by the fewest changes of one byte, the
// nearest first, at most so many.
func Nearest(text string, words []string, most int) []string {
	sorted := slices.Clone(words)
	slices.SortFunc(sorted, func(a, b string) int {
		return cmp.Or(cmp.Compare(distance(text, a), distance(text, b)), strings.Compare(a, b))
	})
	return sorted[:min(most, len(sorted))]
}

// DidYouMean asks after the nearest of the words; empty where there are none.
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

// distance counts the bytes that must be put in, taken out or changed to make one
// text the other (Levenshtein).
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
