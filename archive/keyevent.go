package archive

import (
	"fmt"
	"strings"

	"walarchive/archive/wal"
	"walarchive/crypt/tde"
)

// Record reads the record of an event; nil if it is none.
func (e *KeyEvent) Record() (*tde.Event, error) {
	if e.Info == 0 {
		return nil, nil
	}
	return tde.ParseEvent(wal.TDERecord{LSN: e.At.LSN, Info: e.Info, Payload: e.Payload})
}

// String tells the event to people.
func (e *KeyEvent) String() string {
	switch {
	case e.Snapshot != nil && e.Preserved:
		return "key files, WAL preserved: " + describeSnapshot(e.Snapshot)
	case e.Snapshot != nil:
		return "key files: " + describeSnapshot(e.Snapshot)
	case e.Source != nil:
		return fmt.Sprintf("WAL under server key %q of provider %q (%s)", e.Source.Principal, e.Source.Provider, e.Source.Type)
	case e.Cut:
		return "more records of pg_tde's than the archive keeps of one segment"
	}
	r, err := e.Record()
	if err != nil {
		return err.Error()
	}
	return r.String()
}

func describeSnapshot(s *tde.Snapshot) string {
	var what []string
	for i := range s.Principals {
		p := &s.Principals[i]
		what = append(what, fmt.Sprintf("%v key %q in provider %d, set %s", p.Scope, p.KeyName, p.Provider, p.Set.Format("2006-01-02 15:04:05Z")))
	}
	if len(what) == 0 {
		what = append(what, "no principal key")
	}
	if n := len(s.Ranges); n > 0 {
		r := s.Ranges[n-1]
		what = append(what, fmt.Sprintf("WAL %v since %v (entry %d)", r.Type, r.Start, r.Entry))
	}
	for _, u := range s.Unreadable {
		what = append(what, "NOT READABLE: "+u)
	}
	return strings.Join(what, "; ")
}
