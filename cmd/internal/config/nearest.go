package config

import (
	"fmt"
	"strings"
)

// nearest is a hint at the setting that was probably meant; empty if none is
// near.
func nearest(key string, all []setting) string {
	best, distance := "", 3
	for _, s := range all {
		if d := editDistance(key, s.key); d < distance {
			best, distance = s.key, d
		}
	}
	if best == "" {
		best = elsewhere(key, all)
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %s?", best)
}

// elsewhere finds a setting of the same last name in another section.
func elsewhere(key string, all []setting) string {
	last := key[strings.LastIndexByte(key, '.')+1:]
	for _, s := range all {
		if strings.HasSuffix(s.key, "."+last) {
			return s.key
		}
	}
	return ""
}

// editDistance counts the bytes to insert, delete or replace to make a into b
// (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
