package tde_test

import (
	"fmt"
	"slices"
	"testing"

	"walarchive/archive/wal"
	"walarchive/crypt/tde"
	"walarchive/crypt/tde/tdetest"
)

// step is one thing that a Replay takes in: a record, or node's snapshot that
// shows the server's key.
type step struct {
	record  []byte
	info    wal.TDEInfo
	node    string
	shows   string
	inForce []string // afterwards: scope, key and where
}

func rotated(key string, inForce ...string) step {
	return step{info: wal.TDERotatePrincipalKey, record: tdetest.Rotation(1664, -1, key), inForce: inForce}
}

func shows(node, key string, inForce ...string) step {
	return step{node: node, shows: key, inForce: inForce}
}

func moved(path string, inForce ...string) step {
	p := tdetest.Provider(-1, "local", fmt.Sprintf(`{"path":%q}`, path), 1)
	return step{info: wal.TDEWriteKeyProvider, record: tdetest.ProviderWrite(1664, 0, p), inForce: inForce}
}

func TestReplay(t *testing.T) {
	for _, c := range []struct {
		name  string
		steps []step
	}{
		{"rotation by record", []step{rotated("k1", "k1"), rotated("k2", "k2")}},
		{"a snapshot alone", []step{shows("a", "k1", "k1")}},
		{"rotation after a snapshot, confirmed by the next", []step{
			shows("a", "k1", "k1"), rotated("k2", "k2", "k1"), shows("a", "k2", "k2"),
		}},
		{"archiving lags: the snapshot is ahead of two rotations", []step{
			shows("a", "k1", "k1"), shows("a", "k3", "k1", "k3"), rotated("k2", "k2", "k3"), rotated("k3", "k3"),
		}},
		{"a rotation that left no record", []step{
			shows("a", "k1", "k1"), shows("a", "k2", "k1", "k2"), rotated("k3", "k3", "k2"), shows("a", "k3", "k3"),
		}},
		{"another node is behind", []step{
			shows("a", "k1", "k1"), shows("b", "k1", "k1"), rotated("k2", "k2", "k1"), shows("a", "k2", "k2", "k1"), shows("b", "k2", "k2"),
		}},
		{"the provider moves", []step{shows("a", "k1", "k1"), moved("/elsewhere", "k1 /elsewhere")}},
		{"the server's key cannot be deleted", []step{
			rotated("k1", "k1"), {info: wal.TDEDeletePrincipalKey, record: []byte{0x80, 6, 0, 0}, inForce: []string{"k1"}},
		}},
		{"a database's can", []step{
			{info: wal.TDERotatePrincipalKey, record: tdetest.Rotation(5, -1, "k5"), inForce: []string{"database 5 k5"}},
			{info: wal.TDEDeletePrincipalKey, record: []byte{5, 0, 0, 0}},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r tde.Replay
			for i, s := range c.steps {
				s.take(t, &r)
				if got := inForce(&r); !slices.Equal(got, s.inForce) {
					t.Errorf("after step %d: in force are %q, want %q", i, got, s.inForce)
				}
			}
		})
	}
}

func (s step) take(t *testing.T, r *tde.Replay) {
	t.Helper()
	if s.node == "" {
		e, err := tde.ParseEvent(wal.TDERecord{Info: s.info, Payload: s.record})
		if err != nil {
			t.Fatal(err)
		}
		r.Apply(e)
		return
	}
	snap, err := tde.TakeSnapshot(tdetest.KeyFile{KeyName: s.shows}.Write(t, t.TempDir(), tde.Percona))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Snapshot(s.node, snap); err != nil {
		t.Fatal(err)
	}
}

func inForce(r *tde.Replay) []string {
	var all []string
	for _, u := range r.Uses() {
		text := u.KeyName
		if u.Scope != tde.ServerScope {
			text = u.Scope.String() + " " + text
		}
		if u.Provider != nil && u.Provider.Location() != "keyring.per" {
			text += " " + u.Provider.Location()
		}
		all = append(all, text)
	}
	return all
}

// A provider that moves makes replay ask there for the keys in force, and for
// no others.
func TestReplayThroughAMovedProvider(t *testing.T) {
	var r tde.Replay
	shows("a", "k1").take(t, &r)
	e, err := tde.ParseEvent(wal.TDERecord{Info: wal.TDEWriteKeyProvider, Payload: moved("/new").record})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Apply(e); len(got) != 1 || got[0].KeyName != "k1" || got[0].Provider.Location() != "/new" {
		t.Errorf("got %+v, want k1 at /new", got)
	}
	e.ProviderID, e.Slot, e.Provider.ID = -2, 1, -2
	if got := r.Apply(e); len(got) != 0 {
		t.Errorf("a provider without keys in force: got %+v", got)
	}
}
