package walarchive

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"walarchive/keys"
)

// chain is the key chain as it stands.
type chain []keys.Entry

func (l chain) table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	row(t, "entry", "time", "host", "what")
	for _, e := range l {
		row(t, fmt.Sprint(e.Number), e.Time.Format("2006-01-02 15:04:05Z"), e.Host, describeEntry(e))
	}
	return t.Flush()
}

func describeEntry(e keys.Entry) string {
	var what []string
	if e.Archive != nil {
		what = append(what, "archive "+e.Archive.String())
	}
	if e.Epoch != nil {
		what = append(what, fmt.Sprintf("opens epoch %d under %s", e.Epoch.Number, wrapRefs(e.Epoch)))
	}
	for _, w := range e.Wraps {
		what = append(what, fmt.Sprintf("wraps epoch %d with %s", w.Number, wrapRefs(&w)))
	}
	for _, r := range e.Retire {
		what = append(what, "retires "+r.String())
	}
	for _, r := range e.Escrow {
		what = append(what, "puts into escrow to "+string(r))
	}
	for _, r := range e.Dismiss {
		what = append(what, "ends the escrow to "+string(r))
	}
	if e.Data != nil {
		what = append(what, string(e.Data))
	}
	return strings.Join(what, "; ")
}

func wrapRefs(e *keys.EpochWraps) string {
	var refs []keys.Ref
	for _, w := range e.Wraps {
		refs = append(refs, keys.Ref{Provider: w.Provider, Key: w.Key})
	}
	return joinTexts(refs)
}
