package wal_test

import (
	"fmt"

	"walarchive/archive/wal"
)

func ExampleParseName() {
	name, err := wal.ParseName("000000010000000A000000FF.partial", 16<<20)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(name.Kind, "from", name.Segment.Start(), "on timeline", name.Segment.Timeline)
	// Output: partial segment from A/FF000000 on timeline 1
}

func ExampleHistory_TimelineAt() {
	h, err := wal.ParseHistory(2, []byte("1\t0/C359D0\tno recovery target specified\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(h.TimelineAt(0xC359CF), h.TimelineAt(0xC359D0))
	// Output: 1 2
}
