package wal

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
)

// ErrFork says that two histories tell of one timeline's origin differently:
// they are not of one cluster, or one of them was changed.
var ErrFork = errors.New("histories disagree")

// Tree is how the timelines of a cluster branch, put together from their
// histories. The zero value is a tree without timelines.
type Tree struct {
	branches map[Timeline]Branch
}

// Branch is a timeline and where it left its parent.
type Branch struct {
	Timeline Timeline
	Parent   Timeline // 0 for a timeline that has none
	Begin    LSN      // its first own byte, 0 without parent
	Reason   string
}

// Add joins a timeline and its ancestors to the tree. Where the tree knows
// one of them by another parent or fork it gives ErrFork and stays as it was.
// A timeline whose history file is missing should not be added but for the
// first: it would be taken for one without parent.
func (t *Tree) Add(h History) error {
	if err := h.check(); err != nil {
		return err
	}
	for b := range h.branches() {
		have, ok := t.branches[b.Timeline]
		if ok && (have.Parent != b.Parent || have.Begin != b.Begin) {
			return fmt.Errorf("history of timeline %v: %w: %v, elsewhere %v", h.Timeline, ErrFork, b, have)
		}
	}
	if t.branches == nil {
		t.branches = make(map[Timeline]Branch)
	}
	for b := range h.branches() {
		if _, ok := t.branches[b.Timeline]; !ok {
			t.branches[b.Timeline] = b
		}
	}
	return nil
}

// branches yields what a history says of its timelines, the oldest first.
func (h History) branches() iter.Seq[Branch] {
	return func(yield func(Branch) bool) {
		var left HistoryEntry
		for _, e := range h.Entries {
			if !yield(Branch{e.Parent, left.Parent, left.Switch, left.Reason}) {
				return
			}
			left = e
		}
		yield(Branch{h.Timeline, left.Parent, left.Switch, left.Reason})
	}
}

func (b Branch) String() string {
	if b.Parent == 0 {
		return fmt.Sprintf("timeline %v without parent", b.Timeline)
	}
	return fmt.Sprintf("timeline %v from %v at %v", b.Timeline, b.Parent, b.Begin)
}

// Timelines are all that the tree knows, in order of their numbers.
func (t Tree) Timelines() []Timeline { return slices.Sorted(maps.Keys(t.branches)) }

// Children are the timelines that left parent, in order of their forks.
func (t Tree) Children(parent Timeline) []Branch {
	var children []Branch
	for _, b := range t.branches {
		if b.Parent == parent && parent != 0 {
			children = append(children, b)
		}
	}
	slices.SortFunc(children, func(a, b Branch) int {
		return cmp.Or(cmp.Compare(a.Begin, b.Begin), cmp.Compare(a.Timeline, b.Timeline))
	})
	return children
}

// Path is the history of a timeline as the tree knows it, also of one whose
// own history file is missing but a descendant's is there. It is false for a
// timeline that the tree does not know.
func (t Tree) Path(to Timeline) (History, bool) {
	b, ok := t.branches[to]
	if !ok {
		return History{}, false
	}
	h := History{Timeline: to}
	for ; b.Parent != 0; b = t.branches[b.Parent] {
		h.Entries = append(h.Entries, HistoryEntry{b.Parent, b.Begin, b.Reason})
	}
	slices.Reverse(h.Entries)
	return h, true
}
