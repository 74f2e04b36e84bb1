package queue

import (
	"slices"
	"time"
)

// Times are how long something took, over and over.
type Times struct {
	N       uint64   `json:"n"`
	Seconds float64  `json:"seconds"` // in all
	Within  []uint64 `json:"within"`  // how many took no longer than each of TimeBounds
}

// TimeBounds are the bounds of Times in seconds, from 5 ms to 41 s.
func TimeBounds() []float64 {
	var bounds []float64
	for b := 0.005; b < 60; b *= 2 {
		bounds = append(bounds, b)
	}
	return bounds
}

func (t *Times) add(d time.Duration) {
	bounds := TimeBounds()
	if t.Within == nil {
		t.Within = make([]uint64, len(bounds))
	}
	t.N++
	t.Seconds += d.Seconds()
	for i, bound := range bounds {
		if d.Seconds() <= bound {
			t.Within[i]++
		}
	}
}

func (t Times) clone() Times {
	t.Within = slices.Clone(t.Within)
	return t
}
