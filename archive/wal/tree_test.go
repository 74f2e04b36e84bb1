package wal_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"walarchive/archive/wal"
)

// history makes the history of timeline t from its ancestors and where they
// were left.
func history(t wal.Timeline, ancestors ...wal.HistoryEntry) wal.History {
	return wal.History{Timeline: t, Entries: ancestors}
}

func left(t wal.Timeline, at wal.LSN) wal.HistoryEntry {
	return wal.HistoryEntry{Parent: t, Switch: at}
}

// A cluster that was promoted to 2, then restored from timeline 1 to 3, from
// which 4 came; 5 is a second child of 2. Of timeline 3 no history is left.
func plant(t *testing.T) wal.Tree {
	t.Helper()
	var tree wal.Tree
	for _, h := range []wal.History{
		history(5, left(1, 0x500), left(2, 0x900)),
		history(4, left(1, 0x300), left(3, 0x800)),
		history(2, left(1, 0x500)),
		history(1),
	} {
		if err := tree.Add(h); err != nil {
			t.Fatal(err)
		}
	}
	return tree
}

func TestTree(t *testing.T) {
	tree := plant(t)
	if got, want := tree.Timelines(), []wal.Timeline{1, 2, 3, 4, 5}; !slices.Equal(got, want) {
		t.Errorf("timelines: got %v, want %v", got, want)
	}
	for parent, want := range map[wal.Timeline][]wal.Branch{
		0: nil,
		1: {{Timeline: 3, Parent: 1, Begin: 0x300}, {Timeline: 2, Parent: 1, Begin: 0x500}},
		2: {{Timeline: 5, Parent: 2, Begin: 0x900}},
		3: {{Timeline: 4, Parent: 3, Begin: 0x800}},
		4: nil,
		9: nil,
	} {
		if got := tree.Children(parent); !slices.Equal(got, want) {
			t.Errorf("children of %v: got %v, want %v", parent, got, want)
		}
	}
}

func TestTreePath(t *testing.T) {
	tree := plant(t)
	for to, want := range map[wal.Timeline]wal.History{
		1: history(1),
		2: history(2, left(1, 0x500)),
		3: history(3, left(1, 0x300)),
		4: history(4, left(1, 0x300), left(3, 0x800)),
		5: history(5, left(1, 0x500), left(2, 0x900)),
	} {
		if got, ok := tree.Path(to); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("path to %v: got %+v, %t; want %+v", to, got, ok, want)
		}
	}
	if got, ok := tree.Path(6); ok {
		t.Errorf("path to an unknown timeline: got %+v", got)
	}
}

func TestTreeOrdersEqualForksByTimeline(t *testing.T) {
	var tree wal.Tree
	for _, tli := range []wal.Timeline{4, 2, 3} {
		if err := tree.Add(history(tli, left(1, 0x500))); err != nil {
			t.Fatal(err)
		}
	}
	var got []wal.Timeline
	for _, b := range tree.Children(1) {
		got = append(got, b.Timeline)
	}
	if want := []wal.Timeline{2, 3, 4}; !slices.Equal(got, want) {
		t.Errorf("children of 1: got %v, want %v", got, want)
	}
}

func TestTreeRefusesDisagreement(t *testing.T) {
	tests := []struct {
		name string
		h    wal.History
		want error
	}{
		{"another fork of a known timeline", history(2, left(1, 0x501)), wal.ErrFork},
		{"another parent", history(5, left(1, 0x300), left(3, 0x900)), wal.ErrFork},
		{"an ancestor without its parent", history(6, left(2, 0xA00)), wal.ErrFork},
		{"an ancestor forked elsewhere", history(6, left(1, 0x400), left(2, 0xA00)), wal.ErrFork},
		{"a family of its own", history(7, left(6, 0x100)), nil},
		{"a timeline that is its own ancestor", history(6, left(6, 0x100)), wal.ErrHistory},
		{"no timeline", history(0), wal.ErrHistory},
		{"ancestors out of order", history(6, left(2, 0x500), left(1, 0x600)), wal.ErrHistory},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tree, before := plant(t), plant(t)
			err := tree.Add(tt.h)
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if err != nil && !reflect.DeepEqual(tree, before) {
				t.Errorf("the refused history changed the tree: %v", tree.Timelines())
			}
		})
	}
}
