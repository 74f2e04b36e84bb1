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

// nodeCopy is where a node's preserved copy of a WAL file goes when the name is
// taken by another node's. nth tells apart different ones of the same node; 1 is
// the first.
func nodeCopy(object, node string, nth int) string {
	object += nodeInfix + node
	if nth > 1 {
		object += "." + strconv.Itoa(nth)
	}
	return object
}

// nodeInfix stands before the node in the name of its copy.
const nodeInfix = ".node-"

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
	Extra       bool   // beside the object of that name: one of several .partial files, or a node's copy
	Node        string // of a node's copy
}

// parseWALObject reads what walObject, anotherPartial and nodeCopy form. size
// is the incarnation's segment size.
func parseWALObject(object string, size int64) (stored, bool) {
	rest, ok := strings.CutPrefix(object, walPrefix)
	inc, _, ok2 := strings.Cut(rest, "/")
	n, err := strconv.Atoi(inc)
	if !ok || !ok2 || err != nil || n < 1 {
		return stored{}, false
	}
	s := stored{Object: object, Incarnation: n}
	first, rest, copied := strings.Cut(object, nodeInfix)
	extra := false
	if copied {
		s.Node, extra = parseNode(rest)
	} else if first, rest, extra = strings.Cut(object, ".partial."); extra {
		first += ".partial"
		extra = isEndLSN(rest)
	}
	s.Name, err = wal.ParseName(path.Base(first), size)
	s.Extra = first != object
	segment := s.Name.Kind == wal.KindSegment || s.Name.Kind == wal.KindPartial
	return s, err == nil && first == walObject(n, s.Name) && extra == s.Extra && (segment || !extra)
}

// parseNode reads what nodeCopy appends behind nodeInfix.
func parseNode(s string) (node string, ok bool) {
	node, number, numbered := strings.Cut(s, ".")
	nth, err := 1, error(nil)
	if numbered {
		nth, err = strconv.Atoi(number)
	}
	for _, c := range node {
		ok = strings.ContainsRune("0123456789abcdef", c)
		if !ok {
			return "", false
		}
	}
	return node, len(node) == 16 && err == nil && numbered == (nth > 1) && nodeCopy("", node, nth) == nodeInfix+s
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
