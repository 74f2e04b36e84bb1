package tde_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"walarchive/archive/wal"
	"walarchive/crypt/tde"
	"walarchive/fixtures"
)

// A segment during which encryption was switched on and off five times.
func Example() {
	dir, err := os.MkdirTemp("", "tde")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	host, segment, err := layOut(dir)
	if err != nil {
		log.Fatal(err)
	}

	d, err := tde.Open(filepath.Join(host.PGData, "pg_tde"))
	if err != nil {
		log.Fatal(err)
	}
	keys := tde.NewKeys(d, fetchFrom(host.Keyrings))
	seg, err := wal.ParseSegment(segment.Name, segment.Size)
	if err != nil {
		log.Fatal(err)
	}
	cipher, err := keys.Cipher(context.Background(), seg)
	if err != nil {
		log.Fatal(err)
	}
	p, err := segment.Raw()
	if err != nil {
		log.Fatal(err)
	}
	cipher.XOR(p, 0)

	for _, s := range cipher.Source().Spans {
		fmt.Printf("entry %d, %v: %d to %d\n", s.Entry, s.Type, s.From, s.To)
	}
	fmt.Println("plaintext as recorded:", sum(p) == segment.PlainSHA256)
	// Output:
	// entry 0, encrypted: 262144 to 442368
	// entry 1, unencrypted: 442368 to 647168
	// entry 2, encrypted: 647168 to 811008
	// entry 3, unencrypted: 811008 to 974848
	// entry 4, encrypted: 974848 to 1048576
	// plaintext as recorded: true
}

func layOut(dir string) (fixtures.Host, fixtures.Segment, error) {
	s, err := fixtures.Open("D-toggle")
	if err != nil {
		return fixtures.Host{}, fixtures.Segment{}, err
	}
	host, err := s.Unpack(dir)
	if err != nil {
		return fixtures.Host{}, fixtures.Segment{}, err
	}
	return host, s.Segments[0], host.SetKeys("5-final-on")
}
