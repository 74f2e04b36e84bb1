package archive_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"walarchive/archive"
	"walarchive/archive/wal"
	"walarchive/crypt"
	"walarchive/crypt/tde"
	"walarchive/crypt/tde/tdetest"
	"walarchive/keys"
	"walarchive/storage/storagetest"
)

func audited(t *testing.T, a *archive.Archive, configured keys.Ref, d *archive.DataDir) *archive.Audit {
	t.Helper()
	r, err := a.Audit(t.Context(), configured, d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// wantAudit checks the keys of one owner: name, state, may be destroyed, and
// what stands in the reason.
func wantAudit(t *testing.T, r *archive.Audit, owner archive.KeyOwner, want ...string) {
	t.Helper()
	var got []string
	for _, k := range r.Keys {
		if k.Owner == owner {
			got = append(got, fmt.Sprintf("%s/%s %s %s: %s", k.Provider, k.Key, k.State, k.Destroy, k.Because))
		}
	}
	if len(got) != len(want) {
		t.Fatalf("audited are\n%s\nwant %d", strings.Join(got, "\n"), len(want))
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("key %d: got %q, want %q", i, got[i], want[i])
		}
	}
}

// Each principal key of the archive's is tried on what it wraps, and said to be
// needed as long as nothing else opens that.
func TestAuditOfTheArchivesKeys(t *testing.T) {
	h := newHost(t, small)
	providers := generations(t, "a", "b", "c")
	b := storagetest.NewMemory()
	a, err := archive.Init(t.Context(), b, keys.NewRing(providers), generation("a"), h.dir, false, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rotate(t, a, "b", "c")
	reopen := func(providers map[string]keys.Provider) *archive.Archive {
		a, err := archive.Open(t.Context(), b, keys.NewRing(providers), archive.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}

	r := audited(t, reopen(providers), generation("c"), nil)
	wantAudit(t, r, archive.OwnerArchive,
		"a/wal present yes: b/wal opens all that it opens, tried just now; not looked at: ",
		"b/wal present no: nothing else that is here and stays opens epoch 1",
		"c/wal present no: it is keys.principal")
	if r.Failed() || r.Unsure() {
		t.Errorf("got problems %v", r.Problems)
	}
	for _, k := range r.Keys {
		if len(k.Fingerprint) != 16 {
			t.Errorf("%s: fingerprint %q", k.Key, k.Fingerprint)
		}
	}
}

// A key that is gone, is another, or cannot be asked for.
func TestAuditFindsLostKeys(t *testing.T) {
	other := generations(t, "x")["x"]
	for _, c := range []struct {
		name           string
		lose           []string
		put            keys.Provider // in their place; nil: none is configured
		want           []string
		failed, unsure bool
	}{
		{"one of two", []string{"a"}, failingKeys{keys.ErrNoKey}, []string{"a/wal missing yes", "b/wal present no", "c/wal present no"}, false, false},
		{"another one of two", []string{"a"}, other, []string{"a/wal wrong yes", "b/wal present no", "c/wal present no"}, false, false},
		{"both", []string{"a", "b"}, failingKeys{keys.ErrNoKey}, []string{"a/wal missing no", "b/wal missing no", "c/wal present no"}, true, false},
		{"out of reach", []string{"a", "b"}, failingKeys{keys.ErrUnavailable}, []string{"a/wal unreachable no", "b/wal unreachable no", "c/wal present no"}, true, true},
		{"not configured", []string{"a", "b"}, nil, []string{"a/wal unreachable no", "b/wal unreachable no", "c/wal present no"}, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t, small)
			providers := generations(t, "a", "b", "c")
			b := storagetest.NewMemory()
			a, err := archive.Init(t.Context(), b, keys.NewRing(providers), generation("a"), h.dir, false, archive.Options{})
			if err != nil {
				t.Fatal(err)
			}
			rotate(t, a, "b", "c") // c wraps epochs 3 and 2
			for _, lost := range c.lose {
				if providers[lost] = c.put; c.put == nil {
					delete(providers, lost)
				}
			}
			if a, err = archive.Open(t.Context(), b, keys.NewRing(providers), archive.Options{}); err != nil {
				t.Fatal(err)
			}
			r := audited(t, a, generation("c"), nil)
			wantAudit(t, r, archive.OwnerArchive, c.want...)
			if r.Failed() != c.failed || r.Unsure() != c.unsure {
				t.Errorf("failed %v, unsure %v, problems %q", r.Failed(), r.Unsure(), r.Problems)
			}
		})
	}
}

// failingKeys is a provider that fails.
type failingKeys struct{ err error }

func (f failingKeys) Key(_ context.Context, name string) (crypt.Key, error) {
	return crypt.Key{}, &keys.Error{Provider: "fake", Key: name, Err: f.err}
}

// The keys of a server with pg_tde, along its rotations: which are there, and
// why each is needed.
func TestAuditOfRecordedRotations(t *testing.T) {
	r := pushRotations(t, inTime...)
	got := audited(t, r.archive, principal, nil)
	wantAudit(t, got, archive.OwnerServer,
		"prov-one-alpha/key-alpha-1 present no: a recovery that begins before timeline 1 at 0/B2D768, with WAL that is here, asks for it",
		"prov-one-alpha/key-alpha-2 present no: a recovery that begins before timeline 1 at 0/D249C0",
		"prov-two-alpha/key-alpha-3 present no: it is in force at the end of timeline 1")
	if got.Failed() || got.Unsure() {
		t.Errorf("got %+v", got)
	}
	if len(got.NotLooked) == 0 || !strings.Contains(strings.Join(got.NotLooked, "\n"), "base backups") {
		t.Errorf("not looked at: %q", got.NotLooked)
	}
	if here := audited(t, r.archive, principal, r.dir); !strings.Contains(strings.Join(here.NotLooked, "\n"), "other servers") {
		t.Errorf("with the server at hand, not looked at: %q", here.NotLooked)
	}
}

// A keyring that lost a key, has another of that name, or is gone.
func TestAuditFindsLostServerKeys(t *testing.T) {
	for _, c := range []struct {
		name           string
		spoil          func(t *testing.T, keyring string)
		state          archive.KeyState
		failed, unsure bool
	}{
		{"gone", func(t *testing.T, keyring string) { remove(t, keyring) }, archive.KeyUnreachable, false, true},
		{"empty", func(t *testing.T, keyring string) {
			changeFile(t, keyring, func([]byte) []byte { return nil })
		}, archive.KeyMissing, true, false},
		{"another key", func(t *testing.T, keyring string) {
			changeFile(t, keyring, func(b []byte) []byte { return flip(b, 256) })
		}, archive.KeyWrong, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRecorded(t, "B-single-key", archive.Options{})
			r.push("00000001000000000000000A", "final")
			c.spoil(t, filepath.Join(r.host.Keyrings, "b-keyring.per"))
			got := audited(t, r.archive, principal, nil)
			i := slices.IndexFunc(got.Keys, func(k archive.AuditedKey) bool { return k.Owner == archive.OwnerServer })
			if k := got.Keys[i]; k.State != c.state || k.Detail == "" || k.Destroy != archive.AnswerNo {
				t.Errorf("got %+v", k)
			}
			if got.Failed() != c.failed || got.Unsure() != c.unsure {
				t.Errorf("failed %v, unsure %v", got.Failed(), got.Unsure())
			}
		})
	}
}

// A key given up before the oldest WAL that is here may be needed by base
// backups that this archive knows nothing of.
func TestAuditOfAKeyGivenUp(t *testing.T) {
	_, a, b, _ := rotatedHost(t) // k0, then k1, k2, k3 in one segment each
	for _, no := range []string{"3", "4", "5"} {
		remake(t, b, "wal/00000001/00000001/00000000/00000001000000000000000"+no, nil)
	}
	r := audited(t, a, principal, nil)
	var got []string
	for _, k := range r.Keys {
		if k.Owner == archive.OwnerServer {
			got = append(got, k.Key+" "+string(k.Destroy))
		}
	}
	for _, want := range []string{"k1 unknown", "k2 no", "k3 no"} {
		if !slices.Contains(got, want) {
			t.Errorf("got %q, want %q in it", got, want)
		}
	}
}

// A damaged event log is a problem, and nothing is said to be dispensable.
func TestAuditOfADamagedLog(t *testing.T) {
	_, a, b, _ := rotatedHost(t)
	remake(t, b, "tde/00000002", nil)
	r := audited(t, a, principal, nil)
	if !r.Failed() || len(r.Problems) != 1 || !strings.Contains(r.Problems[0], "tde/00000002") {
		t.Errorf("got problems %q", r.Problems)
	}
	for _, k := range r.Keys {
		if k.Owner == archive.OwnerServer && k.Destroy == archive.AnswerYes {
			t.Errorf("%s may be destroyed", k.Key)
		}
	}
}

// Superseded entries in wal_keys are told before somebody tries to rotate.
func TestAuditWarnsOfSupersededEntries(t *testing.T) {
	h := newHost(t, small)
	dir := tdetest.KeyFile{Entries: []tdetest.Entry{
		{Type: tde.Superseded, Start: tdetest.At(1, 1<<40)}, {Type: tde.Unencrypted, Start: tdetest.At(1, 1<<40)},
	}}.Write(t, h.dir.Path, tde.Percona)
	a, _ := h.newArchive()
	mustPush(t, a, h.dir, h.full())
	for _, d := range []*archive.DataDir{nil, h.dir} {
		if r := audited(t, a, principal, d); len(r.Warnings) == 0 || !strings.Contains(r.Warnings[0], "fails to rotate") {
			t.Errorf("warnings %q", r.Warnings)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
}

// A key without any signature on record is there, but unproven.
func TestAuditOfAnUnprovenKey(t *testing.T) {
	h := newHost(t, small)
	b := storagetest.NewMemory()
	a := initArchive(t, b, newRing(t), h.dir, archive.Options{TDE: func(context.Context, tde.Provider, string) (crypt.Key, error) {
		return crypt.NewKey(make([]byte, 16))
	}})
	h.TDE(wal.TDEWriteKeyProvider, tdetest.ProviderWrite(1664, 0, tdetest.Provider(-1, "local", `{"path":"/k"}`, 1)))
	h.TDE(wal.TDERotatePrincipalKey, tdetest.Rotation(1664, -1, "k1"))
	mustPush(t, a, h.dir, h.full())
	wantAudit(t, audited(t, a, principal, nil), archive.OwnerServer, "local/k1 unproven no: it is in force")
}
