package cli

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/flashgate/flashgate/gate"
)

// leastBar is the width below which a bar shows nothing.
const leastBar = 8

// bar is a line of a picture: a SKU, or a sale with all of its SKUs.
type bar struct {
	name  string
	units gate.Units
	says  string // beside the units
}

// picture draws sales into so many columns and lines: one with a bar for each SKU, or several with
// a bar each. Bars that find no room are drawn as one.
func picture(sales []glance, trouble error, width, height int) []string {
	var head, foot []string
	var bars []bar
	if len(sales) == 1 {
		s := &sales[0]
		head = []string{
			fmt.Sprintf("%s  run %d  %s%s", s.Sale, s.Run, s.State, s.window),
			fmt.Sprintf("%.1f new orders a second", s.rate),
			fmt.Sprintf("orders: %d held, %d paid, %d released, %d refund due, %d refunded, %d asking", s.Orders.Held,
				s.Orders.Paid, s.Orders.Released, s.Orders.RefundDue, s.Orders.Refunded, s.Orders.Asking),
		}
		for _, k := range s.SKUs {
			bars = append(bars, bar{name: k.SKU, units: k.Units})
		}
	} else {
		total := 0.0
		for i := range sales {
			s := &sales[i]
			total += s.rate
			bars = append(bars, bar{s.Sale, sumUnits(s.SKUs), fmt.Sprintf("  %s, %.1f/s", s.State, s.rate)})
		}
		head = []string{fmt.Sprintf("%d sales, %.1f new orders a second", len(sales), total)}
	}
	for i := range sales {
		foot = append(foot, sales[i].notes...)
	}
	if trouble != nil {
		foot = append(foot, "cannot be read now: "+trouble.Error())
	}
	head = append(wrap(head, width), "")
	foot = append([]string{""}, wrap(append([]string{"# paid  = held  x withheld  . left"}, foot...), width)...)
	lines := append(head, drawBars(bars, width, max(1, height-len(head)-len(foot)))...)
	lines = append(lines, foot...)
	return lines[:min(len(lines), height)]
}

// drawBars draws bars, the last ones as one where there are too many.
func drawBars(bars []bar, width, most int) (lines []string) {
	if len(bars) > most {
		rest := bar{name: fmt.Sprintf("%d more", len(bars)-most+1)}
		for _, b := range bars[most-1:] {
			rest.units = rest.units.Plus(b.units)
		}
		bars = append(bars[:most-1:most-1], rest)
	}
	names, numbers := 0, 0
	said := make([]string, len(bars))
	for i, b := range bars {
		said[i] = fmt.Sprintf("%d left of %d%s", b.units.Left, b.units.Total, b.says)
		names, numbers = max(names, len(b.name)), max(numbers, len(said[i]))
	}
	names = min(names, max(leastBar, width/3))
	room := width - names - numbers - 4
	for i, b := range bars {
		line := fmt.Sprintf("%-*s  ", names, cut(b.name, names))
		if room >= leastBar {
			line += b.draw(room) + "  "
		}
		lines = append(lines, cut(line+said[i], width))
	}
	return lines
}

// draw draws the units in so many columns.
func (b *bar) draw(columns int) string {
	var text strings.Builder
	drawn, sum := 0, int64(0)
	for _, part := range []struct {
		units int64
		as    string
	}{{b.units.Paid, "#"}, {b.units.Held, "="}, {b.units.Withheld, "x"}, {b.units.Left, "."}} {
		sum += max(0, part.units)
		end := int(min(sum, b.units.Total) * int64(columns) / max(1, b.units.Total))
		text.WriteString(strings.Repeat(part.as, end-drawn))
		drawn = end
	}
	return text.String() + strings.Repeat(" ", columns-drawn)
}

// cut returns what of a text fits into so many columns.
func cut(text string, columns int) string {
	if utf8.RuneCountInString(text) <= columns {
		return text
	}
	return string([]rune(text)[:columns])
}

// wrap breaks texts between words into lines that fit.
func wrap(texts []string, columns int) (lines []string) {
	for _, text := range texts {
		line := ""
		for i, word := range strings.Split(text, " ") {
			switch {
			case i == 0:
				line = word
			case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= columns:
				line += " " + word
			default:
				lines, line = append(lines, cut(line, columns)), word
			}
		}
		lines = append(lines, cut(line, columns))
	}
	return lines
}
