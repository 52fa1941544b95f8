package config

import "fmt"

// didYouMean is a hint at the known key whose name is nearest, or "".
func didYouMean(name string) string {
	best, least := "", 1+max(2, len(name)/3)
	for i := range table {
		if d := distance(name, table[i].name); d < least {
			best, least = table[i].name, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// distance is the number of single letters to insert, delete or replace to
// make b out of a.
func distance(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(diagonal+cost, row[j]+1, row[j+1]+1)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
