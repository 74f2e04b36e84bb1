package archive

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"walarchive/archive/wal"
)

// The names of everything an archive stores, relative to its cluster's prefix.
// This file is the only place that forms them.
const (
	hintObject       = "cluster.json"
	chainPrefix      = "keys/"
	eventPrefix      = "tde/"
	walPrefix        = "wal/"
	quarantinePrefix = "quarantine/"
	damagedPrefix    = "damaged/"
	probePrefix      = "probe/"
)

func chainObject(n int) string { return fmt.Sprintf("%s%08d", chainPrefix, n) }

func eventObject(n int) string { return fmt.Sprintf("%s%08d", eventPrefix, n) }

// parseEventObject reads what eventObject forms.
func parseEventObject(object string) (int, bool) {
	n, err := strconv.Atoi(strings.TrimPrefix(object, eventPrefix))
	return n, err == nil && n > 0 && object == eventObject(n)
}

// incarnationPrefix is the folder of all WAL of one incarnation.
func incarnationPrefix(inc int) string { return fmt.Sprintf("%s%08d/", walPrefix, inc) }

// timelinePrefix is the folder of one timeline's WAL.
func timelinePrefix(inc int, t wal.Timeline) string {
	return incarnationPrefix(inc) + t.Hex() + "/"
}

// walObject is where the WAL file n is stored. Segments lie in a folder for
// each 4 GiB "log"; of the small files there are few.
func walObject(inc int, n wal.Name) string {
	dir := timelinePrefix(inc, n.Segment.Timeline)
	switch n.Kind {
	case wal.KindSegment, wal.KindPartial:
		return fmt.Sprintf("%s%08X/%s", dir, n.Segment.Log(), n)
	}
	return dir + n.String()
}

// anotherPartial is where a further, different .partial of the same segment
// goes. nth tells those apart that end at the same LSN; 1 is the first.
func anotherPartial(object string, end wal.LSN, nth int) string {
	object = fmt.Sprintf("%s.%016X", object, uint64(end))
	if nth > 1 {
		object += "." + strconv.Itoa(nth)
	}
	return object
}

func quarantineObject(inc int, name wal.Name, nth int) string {
	return fmt.Sprintf("%s.%d", quarantineStem(inc, name), nth)
}

func quarantineStem(inc int, name wal.Name) string {
	return fmt.Sprintf("%s%08d/%s/%s", quarantinePrefix, inc, name.Segment.Timeline.Hex(), name)
}

// damagedObject is where repair moves an object that does not authenticate;
// its record lies beside it, under the same name and .record.
func damagedObject(object string, nth int) string {
	return fmt.Sprintf("%s%s.%d", damagedPrefix, object, nth)
}

// stored is a WAL object's name taken apart.
type stored struct {
	Object      string
	Name        wal.Name
	Incarnation int
	Extra       bool // one of several .partial files of its segment
}

// parseWALObject reads what walObject and anotherPartial form. size is the
// incarnation's segment size.
func parseWALObject(object string, size int64) (stored, bool) {
	rest, ok := strings.CutPrefix(object, walPrefix)
	inc, _, ok2 := strings.Cut(rest, "/")
	n, err := strconv.Atoi(inc)
	if !ok || !ok2 || err != nil || n < 1 {
		return stored{}, false
	}
	first, rest, extra := strings.Cut(object, ".partial.")
	if extra {
		first += ".partial"
	}
	name, err := wal.ParseName(path.Base(first), size)
	s := stored{Object: object, Name: name, Incarnation: n, Extra: extra}
	return s, err == nil && first == walObject(n, name) && (!extra || isEndLSN(rest))
}

// isEndLSN reports whether s is what anotherPartial appends.
func isEndLSN(s string) bool {
	hex, number, numbered := strings.Cut(s, ".")
	lsn, err := strconv.ParseUint(hex, 16, 64)
	nth := 1
	if numbered && err == nil {
		nth, err = strconv.Atoi(number)
	}
	return err == nil && numbered == (nth > 1) && anotherPartial("", wal.LSN(lsn), nth) == "."+s
}

// parseQuarantine reads what quarantineObject forms for inc.
func parseQuarantine(object string, inc Incarnation) (wal.Name, bool) {
	dot := strings.LastIndexByte(object, '.')
	if dot < 0 {
		return wal.Name{}, false
	}
	name, err := wal.ParseName(path.Base(object[:dot]), inc.SegmentSize)
	nth, err2 := strconv.Atoi(object[dot+1:])
	return name, err == nil && err2 == nil && nth > 0 && object == quarantineObject(inc.Number, name, nth)
}
