package wal_test

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"
	"testing"

	"walarchive/archive/wal"
	"walarchive/archive/wal/waltest"
)

// Every field of a page header, changed on the first, a middle and the last
// page, ends valid WAL there and is named.
func TestChangedPageHeader(t *testing.T) {
	u16 := func(i int, v uint16) func([]byte) { return func(p []byte) { binary.LittleEndian.PutUint16(p[i:], v) } }
	u32 := func(i int, v uint32) func([]byte) { return func(p []byte) { binary.LittleEndian.PutUint32(p[i:], v) } }
	u64 := func(i int, v uint64) func([]byte) { return func(p []byte) { binary.LittleEndian.PutUint64(p[i:], v) } }
	const all, first, later, none = 0, 1, 2, 3
	for name, c := range map[string]struct {
		on     int
		change func(page []byte)
		field  string
	}{
		"magic of another major":      {all, u16(0, 0xD110), wal.FieldMagic},
		"no magic":                    {all, u16(0, 0), wal.FieldMagic},
		"unknown flag":                {all, func(p []byte) { p[2] |= 0x10 }, wal.FieldFlags},
		"high flag":                   {all, func(p []byte) { p[3] |= 0x80 }, wal.FieldFlags},
		"long header lost":            {first, func(p []byte) { p[2] &^= wal.PageLong }, wal.FieldFlags},
		"long header in the middle":   {later, func(p []byte) { p[2] |= wal.PageLong }, wal.FieldFlags},
		"timeline of a child":         {all, u32(4, 3), wal.FieldTimeline},
		"timeline zero":               {all, u32(4, 0), wal.FieldTimeline},
		"timeline falls":              {later, u32(4, 1), wal.FieldTimeline},
		"address of the next page":    {all, func(p []byte) { p[9] += 0x20 }, wal.FieldAddress},
		"address 4 GiB on":            {all, func(p []byte) { p[12]++ }, wal.FieldAddress},
		"less left of the record":     {later, func(p []byte) { p[16]-- }, wal.FieldLeft},
		"nothing left of the record":  {later, u32(16, 0), wal.FieldLeft},
		"continuation flag lost":      {later, func(p []byte) { p[2] &^= wal.PageContinues }, wal.FieldLeft},
		"neither flag nor rest":       {later, func(p []byte) { p[2] &^= wal.PageContinues; clear(p[16:20]) }, wal.FieldLeft},
		"voids and continues":         {later, func(p []byte) { p[2] |= wal.PageOverwrites }, wal.FieldLeft},
		"rest without flag":           {first, u32(16, 8), wal.FieldLeft},
		"flag without rest":           {first, func(p []byte) { p[2] |= wal.PageContinues }, wal.FieldLeft},
		"rest of an impossible size":  {first, func(p []byte) { p[2] |= wal.PageContinues; p[19] = 0x40 }, wal.FieldLeft},
		"another system":              {first, u64(24, 1), wal.FieldSystemID},
		"another segment size":        {first, u32(32, 2<<20), wal.FieldSegmentSize},
		"another page size":           {first, u32(36, 16384), wal.FieldPageSize},
		"padding, which nobody reads": {none, func(p []byte) { p[20] = 1 }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWriter()
			w.Promote(2, 1)
			w.Fill(8)
			w.Skip(4000)
			for _, page := range []int{0, 64, 127} {
				if c.on == first && page != 0 || c.on == later && page == 0 {
					continue
				}
				b := w.Segment(3)
				c.change(b[page*wal.PageSize:])
				_, end, _ := scan(t, seg3.On(2), b, wal.ScanOptions{})
				if c.on == none {
					wantEnd(t, end, wal.EndFull, seg3.End())
					continue
				}
				var pe *wal.PageError
				if !errors.As(end.Cause, &pe) || pe.Offset != int64(page*wal.PageSize) || pe.Field != c.field {
					t.Errorf("page %d: got %v, want a wrong %s", page, end.Cause, c.field)
				}
				if start := seg3.Start() + wal.LSN(page*wal.PageSize); end.Kind != wal.EndInvalid || end.LSN > start || end.LSN+1024 < start {
					t.Errorf("page %d: got a %v end at %v", page, end.Kind, end.LSN)
				}
				if (end.Behind != 0) != (page != 127) {
					t.Errorf("page %d: valid page behind at %v", page, end.Behind)
				}
			}
		})
	}
}

// Pages of an ancestor are right at the beginning of a child's first segment;
// the history says who is one.
func TestPageTimelines(t *testing.T) {
	w := newWriter()
	w.Fill(wal.MinSegmentSize / 2)
	w.Promote(5, 1)
	w.Fill(0)
	b := w.Segment(3)
	history := func(parents ...wal.Timeline) *wal.History {
		h := &wal.History{Timeline: 5}
		for _, p := range parents {
			h.Entries = append(h.Entries, wal.HistoryEntry{Parent: p, Switch: seg3.Start() + 1<<19})
		}
		return h
	}
	for name, c := range map[string]struct {
		name    wal.Timeline
		history *wal.History
		ok      bool
	}{
		"no history known":      {5, nil, true},
		"ancestor":              {5, history(1, 3), true},
		"not an ancestor":       {5, history(2, 3), false},
		"name of a later one":   {6, nil, true},
		"name of an older one":  {4, nil, false},
		"name of the parent":    {1, nil, false},
		"parent's with history": {1, &wal.History{Timeline: 1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			facts, end, _ := scan(t, seg3.On(c.name), b, wal.ScanOptions{History: c.history})
			if (end.Kind == wal.EndFull) != c.ok {
				t.Errorf("got a %v end: %v", end.Kind, end.Cause)
			}
			if c.ok && (len(facts.PageTimelines) != 2 || facts.PageTimelines[0] != 1 || facts.PageTimelines[1] != 5) {
				t.Errorf("got page timelines %v, want 1 and 5", facts.PageTimelines)
			}
		})
	}
}

// Timelines do not fall from one segment to the next either.
func TestPageTimelineAfterItsNeighbour(t *testing.T) {
	parent := newWriter()
	parent.Fill(0)
	parent.Fill(0)
	child := newWriter()
	child.Promote(2, noon)
	child.Fill(0)
	_, _, carry, _ := scanCarry(t, seg3.On(2), child.Segment(3), wal.ScanOptions{})
	_, end, _ := scan(t, seg3.Next().On(2), parent.Segment(4), wal.ScanOptions{Prev: carry})
	var pe *wal.PageError
	if !errors.As(end.Cause, &pe) || pe.Field != wal.FieldTimeline {
		t.Errorf("got a %v end: %v", end.Kind, end.Cause)
	}
}

// What a server would not replay ends valid WAL at the record before.
func TestChangedRecord(t *testing.T) {
	w := newWriter()
	w.Skip(1000)
	second := w.Skip(2000)
	w.Skip(7000) // crosses into the second page
	w.Fill(0)
	for name, c := range map[string]struct {
		change func(rec []byte)
		reason string // in the error; empty if the next page's header tells
	}{
		"length zero":             {func(r []byte) { clear(r[:4]) }, "length is zero"},
		"length below the header": {func(r []byte) { binary.LittleEndian.PutUint32(r, 23) }, "length of 23 bytes"},
		"length one more":         {func(r []byte) { r[0]++ }, "CRC"},
		"length over the page":    {func(r []byte) { binary.LittleEndian.PutUint32(r, 9500) }, ""},
		"length over 1 GiB":       {func(r []byte) { r[3] = 0x40 }, "bytes is impossible"},
		"xid":                     {func(r []byte) { r[4] = 9 }, "CRC"},
		"link back":               {func(r []byte) { r[8] ^= 8 }, "links back to 0/300020"},
		"link forward":            {func(r []byte) { r[15] = 1 }, "links back to 1000000"},
		"info":                    {func(r []byte) { r[16] ^= 0x10 }, "CRC"},
		"resource manager":        {func(r []byte) { r[17] = 1 }, "CRC"},
		"no resource manager":     {func(r []byte) { r[17] = 22 }, "resource manager 22"},
		"padding":                 {func(r []byte) { r[18] = 1 }, "CRC"},
		"CRC":                     {func(r []byte) { r[20] ^= 1 }, "CRC"},
		"data":                    {func(r []byte) { r[1999] ^= 1 }, "CRC"},
	} {
		t.Run(name, func(t *testing.T) {
			b := w.Segment(3)
			c.change(b[at(second):])
			_, end, _ := scan(t, seg3, b, wal.ScanOptions{})
			wantEnd(t, end, wal.EndInvalid, second)
			var re *wal.RecordError
			if errors.As(end.Cause, &re) != (c.reason != "") || re != nil && (re.LSN != second || !strings.Contains(re.Reason, c.reason)) {
				t.Errorf("got %v, want %q of %v", end.Cause, c.reason, second)
			}
			if end.Behind == 0 {
				t.Error("no mention of the valid pages behind")
			}
		})
	}
}

// A header split by a page's end is checked once it is whole.
func TestSplitRecordHeader(t *testing.T) {
	for _, here := range []int{8, 16} {
		for name, c := range map[string]struct {
			write  func(w *waltest.Writer)
			reason string
		}{
			"no resource manager": {func(w *waltest.Writer) { w.Record(22, 0, 0, make([]byte, 100)) }, "resource manager 22"},
			"linked back elsewhere": {
				func(w *waltest.Writer) {
					other := waltest.New(cluster, 1, w.LSN()/wal.MinSegmentSize*wal.MinSegmentSize)
					other.Skip(wal.PageSize - wal.LongHeaderSize - 40 - here)
					other.Skip(40)
					other.Skip(100 + 4)
					*w = *other
				}, "links back to",
			},
		} {
			w := newWriter()
			first := wal.PageSize - wal.LongHeaderSize - here
			w.Skip(first)
			b := w.Segment(3)
			lsn := w.LSN()
			c.write(w)
			copy(b[at(lsn):], w.Segment(3)[at(lsn):])
			_, end, _ := scan(t, seg3, b, wal.ScanOptions{})
			wantEnd(t, end, wal.EndInvalid, lsn)
			if !strings.Contains(end.Cause.Error(), c.reason) {
				t.Errorf("%s, %d bytes on the page before: got %v, want %q", name, here, end.Cause, c.reason)
			}
		}
	}
}

// The first record of a segment links back to before the segment, whatever
// is known of that.
func TestFirstLinkBack(t *testing.T) {
	w := newWriter()
	w.Fill(0)
	w.Fill(0)
	_, _, carry, _ := scanCarry(t, seg3, w.Segment(3), wal.ScanOptions{})
	for name, c := range map[string]struct {
		change func(b []byte)
		prev   *wal.Carry
		ok     bool
	}{
		"right":                  {func([]byte) {}, nil, true},
		"right, neighbour known": {func([]byte) {}, carry, true},
		"into the segment":       {func(b []byte) { relink(b[wal.LongHeaderSize:], seg3.End()) }, nil, false},
		"elsewhere":              {func(b []byte) { relink(b[wal.LongHeaderSize:], 0x2FFF00) }, nil, true},
		"elsewhere, neighbour known": {
			func(b []byte) { relink(b[wal.LongHeaderSize:], 0x2FFF00) }, carry, false,
		},
	} {
		b := w.Segment(4)
		c.change(b)
		_, end, _ := scan(t, seg3.Next(), b, wal.ScanOptions{Prev: c.prev})
		if ok := end.Kind == wal.EndFull; ok != c.ok {
			t.Errorf("%s: got a %v end at %v: %v", name, end.Kind, end.LSN, end.Cause)
		}
	}
}

// relink makes the record at the beginning of b link back to prev.
func relink(b []byte, prev wal.LSN) {
	rec := b[:binary.LittleEndian.Uint32(b)]
	binary.LittleEndian.PutUint64(rec[8:], uint64(prev))
	table := crc32.MakeTable(crc32.Castagnoli)
	crc := crc32.Update(crc32.Update(0, table, rec[wal.RecordHeaderSize:]), table, rec[:20])
	binary.LittleEndian.PutUint32(rec[20:], crc)
}
