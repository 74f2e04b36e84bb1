package tde

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"
)

// Print writes the report as text for people.
func (r *Report) Print(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "%s: key directory of %s\n", r.Path, r.Flavor)
	if p := r.Principal; p != nil {
		fmt.Fprintf(b, "wal_keys: version %d, %d entries\n", r.Version, len(r.Entries))
		fmt.Fprintf(b, "principal key: %q, %s, in provider %d, set %s\n", p.Name, bitsText(p.Bits), p.Provider, p.Set.Format(time.RFC3339))
	}
	r.printEntries(b)
	for _, p := range r.Providers {
		fmt.Fprintf(b, "provider %d: %q, %s %s\n", p.ID, p.Name, p.Type, printable(p.Options))
	}
	for _, s := range r.Warnings {
		fmt.Fprintf(b, "warning: %s\n", s)
	}
	for _, s := range r.Problems {
		fmt.Fprintf(b, "problem: %s\n", s)
	}
	return b.Flush()
}

func (r *Report) printEntries(w io.Writer) {
	if len(r.Entries) == 0 {
		return
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "entry\ttype\ttimeline\tstart\tkey\tfingerprint")
	for _, e := range r.Entries {
		timeline, start := "-", "not set"
		if e.Start != nil {
			timeline, start = e.Start.Timeline.String(), e.Start.LSN.String()
		}
		fmt.Fprintf(t, "%d\t%v\t%s\t%s\t%s\t%s\n", e.Entry, e.Type, timeline, start, bitsText(e.Bits), e.Fingerprint)
	}
	_ = t.Flush() // the writer below keeps its error for Print
}

// printable is s, quoted if a terminal could take it for more than text.
func printable(s string) string {
	if strings.ContainsFunc(s, func(c rune) bool { return c == utf8.RuneError || !unicode.IsPrint(c) }) {
		return strconv.Quote(s)
	}
	return s
}

func bitsText(bits int) string {
	if bits == 0 {
		return "unknown"
	}
	return fmt.Sprintf("%d bits", bits)
}
