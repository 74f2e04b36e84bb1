package wal_test

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"walarchive/archive/wal"
	"walarchive/fixtures"
)

// A history of four timelines; 2 and 4 began at a restore point each, 3 was
// left where it began.
const history5 = "1\t0/A218\tno recovery target specified\n" +
	"\n2\t1/0\tbefore 2026-01-02 03:04:05.6+00\n" +
	"\n3\t1/0\tat restore point \"a b\"\n" +
	"\n4\t16/B374D848\tno recovery target specified\n"

func entries5() []wal.HistoryEntry {
	return []wal.HistoryEntry{
		{Parent: 1, Switch: 0xA218, Reason: "no recovery target specified"},
		{Parent: 2, Switch: 0x100000000, Reason: "before 2026-01-02 03:04:05.6+00"},
		{Parent: 3, Switch: 0x100000000, Reason: `at restore point "a b"`},
		{Parent: 4, Switch: 0x16B374D848, Reason: "no recovery target specified"},
	}
}

func TestParseHistory(t *testing.T) {
	one := []wal.HistoryEntry{{Parent: 1, Switch: 0xC359D0}}
	tests := []struct {
		name string
		tli  wal.Timeline
		in   string
		want []wal.HistoryEntry
	}{
		{"four ancestors", 5, history5, entries5()},
		{"no reason", 2, "1\t0/C359D0\n", one},
		{"blanks for tabs", 2, "  1  0/00c359d0  \n", one},
		{"carriage return", 2, "1\t0/C359D0\r\n", one},
		{"comments", 2, "# by hand\n\n \t\n  # more\n1\t0/C359D0\n", one},
		{"own timeline far above", 1<<32 - 1, "1\t0/C359D0\n", one},
		{"tabs in the reason", 2, "1\t0/1\ta\tb\n", []wal.HistoryEntry{{Parent: 1, Switch: 1, Reason: "a\tb"}}},
		// PostgreSQL ends some reasons with a line end of their own.
		{"empty line behind", 2, "1\t0/C359D0\n\n", one},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := wal.ParseHistory(tt.tli, []byte(tt.in))
			if want := (wal.History{Timeline: tt.tli, Entries: tt.want}); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
		})
	}
}

func TestParseHistoryRefuses(t *testing.T) {
	tests := []struct{ name, in, hint string }{
		{"nothing", "", "cut off"},
		{"only comments", "# 1\t0/1\n", "no ancestor"},
		{"last line cut", "1\t0/C3", "cut off"},
		{"no timeline", "x\t0/1\n", "line 1"},
		{"no LSN", "1\n", "line 1"},
		{"LSN run into text", "1\t0/C3end\n", "line 1"},
		{"timeline 0", "0\t0/1\n", "line 1"},
		{"LSN 0", "1\t0/0\n", "line 1"},
		{"zero bytes", strings.Repeat("\x00", 40) + "\n", "line 1"},
		{"own timeline", "1\t0/1\n3\t0/2\n", "line 2"},
		{"timelines fall", "2\t0/1\n1\t0/2\n", "line 2"},
		{"a timeline twice", "1\t0/1\n\n1\t0/2\n", "line 3"},
		{"LSNs fall", "1\t0/2\n2\t0/1\n", "line 2"},
		{"second line bad", "1\t0/1\nprose\n", "line 2"},
		{"too long", "1\t0/1\t" + strings.Repeat("x", wal.MaxHistorySize) + "\n", "more than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := wal.ParseHistory(3, []byte(tt.in))
			if !errors.Is(err, wal.ErrHistory) || !strings.Contains(err.Error(), tt.hint) {
				t.Errorf("got %v, want %v with %q", err, wal.ErrHistory, tt.hint)
			}
		})
	}
}

func TestHistoryFilesOfServersComeBack(t *testing.T) {
	files := []string{
		"pgtde/F-timeline/standby/raw/00000002.history",
		"pgtde/G-basebackup-restore/after/00000002.history.raw",
		"wal/15/00000002.history", "wal/16/00000002.history", "wal/18/00000002.history",
	}
	for _, name := range files {
		b, err := fixtures.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		h, err := wal.ParseHistory(2, b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if h.Parent() != 1 || h.Begin() == 0 || !bytes.Equal(h.Bytes(), b) {
			t.Errorf("%s: got %+v, which prints %q, want %q", name, h, h.Bytes(), b)
		}
	}
}

func TestHistory(t *testing.T) {
	h := wal.History{Timeline: 5, Entries: entries5()}
	if got := string(h.Bytes()); got != history5 {
		t.Errorf("prints %q, want %q", got, history5)
	}
	if got, want := h.Ancestors(), []wal.Timeline{1, 2, 3, 4}; !slices.Equal(got, want) {
		t.Errorf("ancestors: got %v, want %v", got, want)
	}
	if h.Begin() != 0x16B374D848 || h.Parent() != 4 {
		t.Errorf("begins at %v from %v, want 16/B374D848 from 4", h.Begin(), h.Parent())
	}
	for lsn, want := range map[wal.LSN]wal.Timeline{
		0: 1, 0xA217: 1, 0xA218: 2, 0xFFFFFFFF: 2, 0x100000000: 4, 0x16B374D847: 4, 0x16B374D848: 5, 1<<64 - 1: 5,
	} {
		if got := h.TimelineAt(lsn); got != want {
			t.Errorf("timeline at %v: got %v, want %v", lsn, got, want)
		}
	}
	for tli, want := range map[wal.Timeline]bool{0: false, 1: true, 3: true, 4: true, 5: true, 6: false} {
		if got := h.Contains(tli); got != want {
			t.Errorf("contains %v: got %t, want %t", tli, got, want)
		}
	}
	if lsn, ok := h.SwitchOf(4); !ok || lsn != 0x16B374D848 {
		t.Errorf("switch of 4: got %v, %t", lsn, ok)
	}
	for _, tli := range []wal.Timeline{0, 5, 6} {
		if lsn, ok := h.SwitchOf(tli); ok || lsn != 0 {
			t.Errorf("switch of %v: got %v, want none", tli, lsn)
		}
	}
}

func TestHistoryOfTheFirstTimeline(t *testing.T) {
	h := wal.History{Timeline: 1}
	if h.Begin() != 0 || h.Parent() != 0 || len(h.Ancestors()) != 0 || len(h.Bytes()) != 0 {
		t.Errorf("begins at %v from %v after %v: want nothing of it", h.Begin(), h.Parent(), h.Ancestors())
	}
	if got := h.TimelineAt(0); got != 1 {
		t.Errorf("timeline at 0/0: got %v, want 1", got)
	}
	if !h.Contains(1) || h.Contains(2) {
		t.Error("want timeline 1 in it, and no other")
	}
}

func FuzzParseHistory(f *testing.F) {
	f.Add(uint32(5), []byte(history5))
	f.Add(uint32(2), []byte("1\t0/C359D0\tno recovery target specified\n"))
	f.Add(uint32(3), []byte("# comment\n 1 0/1\n2\t0/2"))
	f.Fuzz(func(t *testing.T, tli uint32, b []byte) {
		h, err := wal.ParseHistory(wal.Timeline(tli), b)
		if err != nil {
			if !errors.Is(err, wal.ErrHistory) {
				t.Errorf("got %v, want %v", err, wal.ErrHistory)
			}
			return
		}
		back, err := wal.ParseHistory(wal.Timeline(tli), h.Bytes())
		if err != nil || !reflect.DeepEqual(back, h) {
			t.Errorf("%+v prints %q, which parses to %+v, %v", h, h.Bytes(), back, err)
		}
		if got := h.TimelineAt(h.Begin()); got != h.Timeline {
			t.Errorf("its first own byte is on timeline %v, want %v", got, h.Timeline)
		}
	})
}
