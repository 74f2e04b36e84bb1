//go:build integration

package peerbench

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// row says what was measured.
type row struct{ store, system, loop string }

// table holds the results of all rounds.
type table map[row][]Result

func (t table) add(r row, x Result) { t[r] = append(t[r], x) }

// limit is the most that a figure of ours may be, as a share of the
// reference's.
type limit struct{ wall, cpu float64 }

var limits = map[string]limit{
	"directory push":    {0.55, 0.8},
	"S3 push":           {0.7, 0.8},
	"directory restore": {wall: 0.5},
	"S3 restore":        {wall: 0.5},
}

// String prints medians, their ratio to the reference's, that of pg_tde's to
// the plain cluster's, and what these must be.
func (t table) String() string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "store\tloop\tsystem\twall s\tratio\tCPU s\tratio\tslowest ms\tpeak MiB\tdaemon MiB")
	for _, r := range t.rows() {
		to, most := r.limit()
		own, base := median(t[r]), median(t[row{r.store, to, r.loop}])
		fmt.Fprintf(w, "%s\t%s\t%s\t%.2f\t%s\t%.2f\t%s\t%.0f\t%d\t%d\n", r.store, r.loop, r.system,
			own.Wall, against(own.Wall/base.Wall, most.wall), own.CPU, against(own.CPU/base.CPU, most.cpu),
			1000*own.Slowest, own.Peak>>20, own.Daemon>>20)
	}
	_ = w.Flush() // a strings.Builder takes everything
	return text.String()
}

// limit is what a row is compared with, and what it must be.
func (r row) limit() (to string, most limit) {
	switch {
	case r.system == withTDE:
		return plain, limit{wall: 1.15}
	case strings.HasPrefix(r.system, "walarchive"):
		return reference, limits[r.store+" "+r.loop]
	}
	return reference, limit{}
}

// rows are in order: push before restore, the directory before S3.
func (t table) rows() []row {
	return slices.SortedFunc(maps.Keys(t), func(a, b row) int {
		return cmp.Or(cmp.Compare(a.loop, b.loop), -cmp.Compare(a.store, b.store), cmp.Compare(a.system, b.system))
	})
}

func against(ratio, most float64) string {
	switch {
	case most == 0:
		return fmt.Sprintf("%.2f", ratio)
	case ratio <= most:
		return fmt.Sprintf("%.2f <= %.2f", ratio, most)
	}
	return fmt.Sprintf("%.2f, MUST BE %.2f", ratio, most)
}

// median has the median of each figure.
func median(all []Result) Result {
	return Result{
		Wall:    middle(all, func(r Result) float64 { return r.Wall }),
		Slowest: middle(all, func(r Result) float64 { return r.Slowest }),
		CPU:     middle(all, func(r Result) float64 { return r.CPU }),
		Peak:    middle(all, func(r Result) int64 { return r.Peak }),
		Daemon:  middle(all, func(r Result) int64 { return r.Daemon }),
	}
}

func middle[T cmp.Ordered](all []Result, figure func(Result) T) T {
	var of []T
	for _, r := range all {
		of = append(of, figure(r))
	}
	slices.Sort(of)
	return of[len(of)/2]
}
