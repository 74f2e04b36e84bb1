package waltest_test

import (
	"fmt"

	"walarchive/archive/wal"
	"walarchive/archive/wal/waltest"
)

func ExampleWriter() {
	id := wal.Identity{SystemID: 7, Major: 17, SegmentSize: wal.MinSegmentSize}
	w := waltest.New(id, 1, 3*wal.MinSegmentSize)
	w.Commit(waltest.Xact{XID: 735})
	w.Fill(16)
	w.Skip(64) // crosses into the next segment
	w.Switch()

	s := wal.NewScanner(w.Name(3), wal.ScanOptions{Identity: id})
	if err := s.Next(w.Segment(3)); err != nil {
		panic(err)
	}
	facts, end := s.Close()
	fmt.Println(end.Kind, "to", end.LSN)
	fmt.Println(facts.Records[wal.RmgrTransaction], "transaction,", facts.Open.Length, "bytes left open at", facts.Open.LSN)
	// Output:
	// full to 0/400000
	// 1 transaction, 64 bytes left open at 0/3FFFF0
}
