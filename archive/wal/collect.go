package wal

import (
	"encoding/json"
	"slices"
)

// What the lists of a segment's facts may take, in bytes of JSON. Together
// with two heads of 2 KiB in base64, the counts and the fixed members they
// stay below MaxFactsSize.
const (
	roomTDE           = 16 << 10
	roomCheckpoints   = 6 << 10
	roomRestorePoints = 4 << 10
	roomTablespaces   = 6 << 10
	roomParameters    = 2 << 10
	roomSmall         = 1 << 10 // each of the others
	maxPageTimelines  = 64
)

// collector turns the records of one segment into facts.
type collector struct {
	facts  Facts
	major  int
	counts [256]uint32
	room   rooms
}

// rooms is what each list may still take, in bytes of JSON.
type rooms struct {
	tde, checkpoints, restorePoints, tablespaces, parameters int
	recoveries, backupEnds, overwrites                       int
}

func newCollector(seg Segment, major int) collector {
	return collector{
		facts: Facts{Timeline: seg.Timeline, FirstLSN: seg.Start(), LastLSN: seg.End() - 1},
		major: major,
		room:  fullRooms(),
	}
}

func fullRooms() rooms {
	return rooms{
		tde:           roomTDE,
		checkpoints:   roomCheckpoints,
		restorePoints: roomRestorePoints,
		tablespaces:   roomTablespaces,
		parameters:    roomParameters,
		recoveries:    roomSmall,
		backupEnds:    roomSmall,
		overwrites:    roomSmall,
	}
}

// timeline notes the timeline of a page.
func (c *collector) timeline(t Timeline) {
	seen := c.facts.PageTimelines
	switch {
	case len(seen) > 0 && seen[len(seen)-1] == t:
	case len(seen) < maxPageTimelines:
		c.facts.PageTimelines = append(seen, t)
	default:
		c.overflow("page_timelines")
	}
}

// starts notes that a record starts here.
func (c *collector) starts(lsn LSN) {
	if c.facts.FirstRecord == 0 {
		c.facts.FirstRecord = lsn
	}
	c.facts.LastRecord = lsn
}

// counts a record whose header is known.
func (c *collector) count(lsn LSN, h RecordHeader) {
	if c.facts.FirstRecord == lsn {
		c.facts.FirstPrev = h.Prev
	}
	c.counts[h.Rmgr]++
}

// note takes what is worth keeping out of a complete record.
func (c *collector) note(r record, x *xactReader) {
	switch r.Rmgr {
	case RmgrTransaction:
		if endsTransaction(r.RecordHeader) {
			c.xact(x)
		}
	case RmgrXLOG:
		c.xlog(r)
	case RmgrTablespace:
		if r.is(RmgrTablespace, infoTablespaceCreate) {
			data, whole := r.main()
			t, ok := parseTablespace(r.lsn, data)
			add(c, &c.facts.Tablespaces, "tablespaces", &c.room.tablespaces, t, ok && whole)
		}
	case RmgrTDE:
		c.tde(r)
	}
}

func (c *collector) xact(x *xactReader) {
	if !x.HasTime || !x.HasXID {
		c.overflow("xacts")
	}
	c.facts.Xacts = c.facts.Xacts.with(x)
}

// with is the range widened to what x found out.
func (r *XactRange) with(x *xactReader) *XactRange {
	if !x.HasTime {
		return r
	}
	if r == nil {
		r = &XactRange{LowestTime: x.Time, HighestTime: x.Time}
	}
	r.LowestTime = min(r.LowestTime, x.Time)
	r.HighestTime = max(r.HighestTime, x.Time)
	if x.HasXID && x.XID != 0 {
		r.HighestXID = max(r.HighestXID, x.XID)
		if r.LowestXID == 0 || x.XID < r.LowestXID {
			r.LowestXID = x.XID
		}
	}
	return r
}

func (c *collector) xlog(r record) {
	f, room := &c.facts, &c.room
	data, whole := r.main()
	switch info := r.Info & infoMask; info {
	case infoCheckpointShutdown, infoCheckpointOnline:
		p, ok := parseCheckpoint(r.lsn, info, data, c.major)
		add(c, &f.Checkpoints, "checkpoints", &room.checkpoints, p, ok && whole)
	case infoBackupEnd:
		e, ok := parseBackupEnd(r.lsn, data)
		add(c, &f.BackupEnds, "backup_ends", &room.backupEnds, e, ok && whole)
	case infoParameterChange:
		p, ok := parseParameterChange(r.lsn, data)
		add(c, &f.Parameters, "parameter_changes", &room.parameters, p, ok && whole)
	case infoRestorePoint:
		p, ok := parseRestorePoint(r.lsn, data)
		add(c, &f.RestorePoints, "restore_points", &room.restorePoints, p, ok && whole)
	case infoEndOfRecovery:
		e, ok := parseEndOfRecovery(r.lsn, data, c.major)
		add(c, &f.Recoveries, "ends_of_recovery", &room.recoveries, e, ok && whole)
	case infoOverwrite:
		o, ok := parseOverwrite(r.lsn, data)
		add(c, &f.Overwrites, "overwrites", &room.overwrites, o, ok && whole)
	}
}

func (c *collector) tde(r record) {
	switch info := TDEInfo(r.Info & infoMask); info {
	case TDEAddPrincipalKey, TDERotatePrincipalKey, TDEWriteKeyProvider, TDEDeletePrincipalKey:
		data, whole := r.main()
		t := TDERecord{r.lsn, info, slices.Clone(data)}
		add(c, &c.facts.TDE, "tde", &c.room.tde, t, whole)
	default:
		if c.facts.TDEOther == nil {
			c.facts.TDEOther = make(map[TDEInfo]uint32)
		}
		c.facts.TDEOther[info]++
	}
}

// add appends v to the list of that JSON name, if it could be decoded and the
// list has room left.
func add[T any](c *collector, list *[]T, name string, room *int, v T, ok bool) {
	if !ok || *room < 0 {
		c.overflow(name)
		return
	}
	b, err := json.Marshal(v)
	if *room -= len(b) + 1; err != nil || *room < 0 {
		c.overflow(name)
		return
	}
	*list = append(*list, v)
}

// overflow names a member that is not complete.
func (c *collector) overflow(name string) {
	if i, found := slices.BinarySearch(c.facts.Overflow, name); !found {
		c.facts.Overflow = slices.Insert(c.facts.Overflow, i, name)
	}
}

// close gives the facts; the collector is of no use afterwards.
func (c *collector) close(end End) Facts {
	c.facts.End = End{LSN: end.LSN, Kind: end.Kind}
	for r, n := range c.counts {
		if n == 0 {
			continue
		}
		if c.facts.Records == nil {
			c.facts.Records = make(map[Rmgr]uint32)
		}
		c.facts.Records[Rmgr(r)] = n
	}
	return c.facts
}
