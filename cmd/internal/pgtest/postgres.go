package pgtest

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// Postgres is one installed major version of PostgreSQL.
type Postgres struct {
	Major   int
	bin     string
	clients string // where programs are taken from that bin does not hold
}

// Program is the path of one of its programs: initdb, psql, pg_waldump.
func (p Postgres) Program(name string) string {
	if p.Has(name) {
		return filepath.Join(p.bin, name)
	}
	return filepath.Join(p.clients, name)
}

// Has reports whether it came with that program, made for just this version.
func (p Postgres) Has(name string) bool { return exists(filepath.Join(p.bin, name)) }

func (p Postgres) String() string { return fmt.Sprintf("PostgreSQL %d", p.Major) }

// Debian lists the versions that Debian's packages installed, oldest first.
// There is at least one: without any, the test fails.
func Debian(t testing.TB) []Postgres {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		t.Fatalf("no PostgreSQL under /usr/lib/postgresql (apt-get install postgresql): %v", err)
	}
	var all []Postgres
	for _, path := range found {
		bin := filepath.Dir(path)
		major, err := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
		if err != nil {
			t.Fatalf("%s is in no directory named after a major version", path)
		}
		all = append(all, Postgres{Major: major, bin: bin, clients: bin})
	}
	slices.SortFunc(all, func(a, b Postgres) int { return a.Major - b.Major })
	return all
}

// Newest is the newest version that Debian's packages installed.
func Newest(t testing.TB) Postgres {
	t.Helper()
	all := Debian(t)
	return all[len(all)-1]
}
