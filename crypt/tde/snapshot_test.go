package tde_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"walarchive/archive/wal"
	"walarchive/crypt/tde"
	"walarchive/crypt/tde/tdetest"
	"walarchive/fixtures"
)

// Every recorded key state gives what its server said of its keys.
func TestRecordedSnapshots(t *testing.T) {
	all, err := fixtures.Scenarios()
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, s := range all {
		states, err := s.States()
		if err != nil {
			t.Fatal(err)
		}
		for _, state := range states {
			t.Run(s.Name+"/"+state, func(t *testing.T) {
				snap := snapshotOf(t, s, state)
				sameAsServer(t, s, state, "server_key.json", tde.ServerScope, snap)
				sameAsServer(t, s, state, "default_key.json", tde.DefaultScope, snap)
				roundTrips(t, snap)
				tried++
			})
		}
	}
	if tried < 20 {
		t.Errorf("only %d key states", tried)
	}
}

func snapshotOf(t *testing.T, s fixtures.Scenario, state string) *tde.Snapshot {
	t.Helper()
	h, err := s.Unpack(t.TempDir())
	if err == nil {
		err = h.SetKeys(state)
	}
	if err != nil {
		t.Fatal(err)
	}
	snap, err := tde.TakeSnapshot(filepath.Join(h.PGData, s.KeyDir()))
	if err != nil {
		t.Fatal(err)
	}
	if len(snap.Unreadable) > 0 {
		t.Errorf("not readable: %q", snap.Unreadable)
	}
	return snap
}

// sameAsServer compares what the server itself reported, if it was recorded.
func sameAsServer(t *testing.T, s fixtures.Scenario, state, file string, scope tde.Scope, snap *tde.Snapshot) {
	t.Helper()
	b, err := s.Read("states/" + state + "/" + file)
	if err != nil {
		return // not recorded of every state
	}
	var want struct {
		Key      string `json:"key_name"`
		Provider string `json:"provider_name"`
		ID       int32  `json:"provider_id"`
	}
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	var r tde.Replay
	uses, err := r.Snapshot("db1", snap)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range uses {
		if u.Scope != scope {
			continue
		}
		if u.KeyName != want.Key || u.ProviderID != want.ID || u.Provider == nil || u.Provider.Name != want.Provider {
			t.Errorf("%v key: got %+v, want %+v", scope, u, want)
		}
		return
	}
	t.Errorf("no %v key, want %q", scope, want.Key)
}

func roundTrips(t *testing.T, snap *tde.Snapshot) {
	t.Helper()
	b, err := json.Marshal(snap)
	if err != nil {
		t.Fatal(err)
	}
	var again tde.Snapshot
	if err := json.Unmarshal(b, &again); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(*snap, again) {
		t.Error("another snapshot after JSON")
	}
}

// A snapshot holds what wraps keys, where from on they apply, and no key,
// wrapped or not.
func TestSnapshotHoldsNoKeys(t *testing.T) {
	pgdata := t.TempDir()
	dir := tdetest.KeyFile{Principal: key(t, 1), Entries: []tdetest.Entry{
		{Type: tde.Superseded, Start: tdetest.At(1, 0x100), Key: key(t, 2)},
		{Type: tde.Encrypted, Start: tdetest.At(1, 0x200), Key: key(t, 3)},
		{Type: tde.Encrypted},
	}}.Write(t, pgdata, tde.Percona)
	snap, err := tde.TakeSnapshot(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []tde.KeyRange{{Entry: 1, Type: tde.Encrypted, Start: tdetest.At(1, 0x200), Bits: 128}}
	if !reflect.DeepEqual(snap.Ranges, want) || snap.Entries != 3 || snap.Superseded != 1 || !snap.RotationFails() {
		t.Errorf("got %+v", snap)
	}
	if err := snap.Principals[0].Verify(key(t, 1)); err != nil {
		t.Error(err)
	}
	file, err := os.ReadFile(filepath.Join(dir, "wal_keys"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(snap)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := json.Marshal(file[320:])
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), string(entries[1:40])) || len(b) > 2*(312+1160)+600 {
		t.Errorf("%d bytes of JSON: more than headers, providers and ranges", len(b))
	}
}

// Files of databases count too; what cannot be read is told and stops nothing.
func TestSnapshotOfDatabases(t *testing.T) {
	dir := tdetest.KeyFile{}.Write(t, t.TempDir(), tde.Percona)
	for name, b := range map[string][]byte{
		"1663_keys":         tdetest.RelationKeys(1663, tdetest.KeyFile{KeyName: "default"}),
		"5_keys":            nil,
		"16384_keys":        tdetest.RelationKeys(16384, tdetest.KeyFile{KeyName: "app", Provider: 1}),
		"16384_providers":   tdetest.Provider(1, "apps", `{"path":"/k"}`, 1),
		"16385_keys":        tdetest.RelationKeys(16384, tdetest.KeyFile{}),
		"16386_keys":        []byte("TDE"),
		"16387_providers":   make([]byte, 1000),
		"016388_keys":       []byte("no name of pg_tde's"),
		"16384_keys.r":      []byte("left behind by a rotation"),
		"99999999999_keys":  []byte("no oid"),
		"keys_version":      []byte("12345678"),
		"16389_keys_backup": nil,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	snap, err := tde.TakeSnapshot(dir)
	if err != nil {
		t.Fatal(err)
	}
	var r tde.Replay
	uses, err := r.Snapshot("db1", snap)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, u := range uses {
		got = append(got, u.Scope.String()+" "+u.KeyName+" "+u.Provider.Name)
	}
	want := []string{"server server-key local", "default default local", "database 16384 app apps"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	text := strings.Join(snap.Unreadable, "\n")
	for _, name := range []string{"16385_keys", "16386_keys", "16387_providers"} {
		if !strings.Contains(text, name) || len(snap.Unreadable) != 3 {
			t.Errorf("not readable are %q, want %s among three", snap.Unreadable, name)
		}
	}
	roundTrips(t, snap)
}

// Of very many ranges the newest are listed.
func TestSnapshotListsTheNewestRanges(t *testing.T) {
	f := tdetest.KeyFile{}
	for i := range 300 {
		f.Entries = append(f.Entries, tdetest.Entry{Type: tde.Encrypted, Start: tdetest.At(1, 0x1000*(1+wal.LSN(i)))})
	}
	snap, err := tde.TakeSnapshot(f.Write(t, t.TempDir(), tde.Percona))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(snap.Ranges); n != 256 || snap.Ranges[n-1].Entry != 299 || snap.Entries != 300 {
		t.Errorf("%d ranges of %d, the last of entry %d", n, snap.Entries, snap.Ranges[n-1].Entry)
	}
}

func FuzzPrincipalInfo(f *testing.F) {
	f.Add(tdetest.KeyFile{}.Bytes()[8:320])
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := tde.ParsePrincipalInfo(b)
		if err != nil {
			return
		}
		text, err := p.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var again tde.PrincipalInfo
		if err := again.UnmarshalText(text); err != nil || again != p {
			t.Errorf("another one after its text: %v", err)
		}
	})
}
