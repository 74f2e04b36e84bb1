package archive

import (
	"fmt"

	"walarchive/archive/wal"
)

// limits reads From and To, which are of the open incarnation, and Accepted.
func (v *verifier) limits() error {
	open := v.current()
	for _, l := range []struct {
		name string
		to   **wal.Segment
	}{{v.From, &v.from}, {v.To, &v.to}} {
		if l.name == "" {
			continue
		}
		seg, err := wal.ParseSegment(l.name, open.SegmentSize)
		if err != nil {
			return err
		}
		*l.to = &seg
		v.survey.makeBranch(open, seg.Timeline)
	}
	if v.from != nil && v.to != nil && (v.from.Timeline > v.to.Timeline || v.from.Timeline == v.to.Timeline && v.from.No > v.to.No) {
		return fmt.Errorf("%v comes after %v", v.from, v.to)
	}
	return v.survey.accept(v.Accepted)
}

// current is the open incarnation.
func (v *verifier) current() Incarnation { return v.survey.Incarnations[len(v.survey.Incarnations)-1] }

// within reports whether From and To leave anything of b.
func (v *verifier) within(b *branch) bool {
	return v.from == nil && v.to == nil ||
		b.Number == v.current().Number && (v.from == nil || b.Timeline >= v.from.Timeline) && (v.to == nil || b.Timeline <= v.to.Timeline)
}

// limit applies From and To to what is needed of a branch. Segments named as
// limits must be there, so they widen it too.
func (v *verifier) limit(b *branch, n need, any bool) (need, bool) {
	if !v.within(b) {
		return need{}, false
	}
	if v.from != nil && b.Timeline == v.from.Timeline {
		n = need{v.from.No, max(n.last, v.from.No)}
		any = true
	}
	if v.to != nil && b.Timeline == v.to.Timeline {
		if n.last = v.to.No; !any {
			n.first = n.last
		}
		n.first = min(n.first, n.last)
		any = true
	}
	return n, any
}

// selected are the segments of b between From and To.
func (v *verifier) selected(b *branch) []wal.SegmentNo {
	segs := b.Segments
	if v.to != nil && v.to.Timeline == b.Timeline {
		i, _ := b.find(v.to.No + 1)
		segs = segs[:i]
	}
	if v.from != nil && v.from.Timeline == b.Timeline {
		i, _ := b.find(v.from.No)
		segs = segs[min(i, len(segs)):]
	}
	return segs
}
