package tde_test

import (
	"encoding/hex"
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"walarchive/archive/wal"
	"walarchive/crypt"
	"walarchive/crypt/tde"
	"walarchive/crypt/tde/tdetest"
	"walarchive/fixtures"
)

func TestInspectRecordedStates(t *testing.T) {
	all, err := fixtures.Scenarios()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		states, err := s.States()
		if err != nil {
			t.Fatal(err)
		}
		for _, state := range states {
			t.Run(s.Name+"/"+state, func(t *testing.T) {
				r := keysOf(t, s, state).Inspect(t.Context())
				if len(r.Problems) > 0 || len(r.Warnings) > 0 {
					t.Errorf("problems %q, warnings %q", r.Problems, r.Warnings)
				}
				wantDecoded(t, s, state, r)
			})
		}
	}
}

// wantDecoded compares a report with the recorded, independent decoding.
func wantDecoded(t *testing.T, s fixtures.Scenario, state string, r *tde.Report) {
	t.Helper()
	var want struct {
		Principal struct {
			KeyringID int32 `json:"keyring_id"`
			Name      string
			Created   int64
			KeyLen    int `json:"key_len"`
		}
		Entries []struct {
			RangeType string       `json:"range_type"`
			StartLSN  wal.LSN      `json:"start_lsn"`
			StartTLI  wal.Timeline `json:"start_tli"`
			Key       string
		}
	}
	b, err := s.Read("states/" + state + "/decoded-keys.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	p := want.Principal
	if got := r.Principal; got.Name != p.Name || got.Provider != p.KeyringID || got.Set.Unix() != p.Created || got.Bits != 8*p.KeyLen {
		t.Errorf("got principal key %+v, want %+v", got, p)
	}
	if len(r.Entries) != len(want.Entries) {
		t.Fatalf("got %d entries, want %d", len(r.Entries), len(want.Entries))
	}
	for i, w := range want.Entries {
		e := r.Entries[i]
		var start wal.Location
		if e.Start != nil {
			start = *e.Start
		}
		if e.Type.String() != w.RangeType || start != tdetest.At(w.StartTLI, w.StartLSN) || e.Bits != 4*len(w.Key) || e.Fingerprint != fingerprint(t, w.Key) {
			t.Errorf("entry %d: got %+v at %v, want %+v", i, e, start, w)
		}
	}
}

func fingerprint(t *testing.T, hexKey string) string {
	t.Helper()
	b, err := hex.DecodeString(hexKey)
	if err != nil {
		t.Fatal(err)
	}
	k, err := crypt.NewKey(b)
	if err != nil {
		t.Fatal(err)
	}
	return k.Fingerprint()
}

func TestInspectWarnsAndReportsProblems(t *testing.T) {
	f := tdetest.KeyFile{
		KeyName: "k1",
		Set:     time.Date(2026, 11, 22, 2, 30, 0, 0, time.UTC),
		Entries: []tdetest.Entry{
			{Type: tde.Encrypted, Start: tdetest.At(1, 0x1000000)},
			{Type: tde.Superseded, Start: tdetest.At(1, 0x2000000)},
			{Type: tde.Unencrypted, Start: tdetest.At(1, 0x3000000)},
			{Type: tde.Encrypted, Start: tdetest.At(1, 0x2800000)},
			{Type: tde.Encrypted},
		},
	}
	pgdata := t.TempDir()
	dir := f.Write(t, pgdata, tde.Percona)
	flip(t, filepath.Join(dir, "wal_keys"), 320+72)
	appendFile(t, filepath.Join(dir, "wal_keys"), "tail")
	d, err := tde.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	r := tde.NewKeys(d, fetchFrom(pgdata)).Inspect(t.Context())
	if err := r.Print(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"key directory of pg_tde\n",
		"wal_keys: version 2, 5 entries\n",
		`principal key: "k1", 128 bits, in provider -1, set 2026-11-22T02:30:00Z` + "\n",
		"0 encrypted 1 0/1000000 128 bits\n",
		"1 superseded 1 0/2000000 128 bits\n",
		"4 encrypted - not set 128 bits ",
		`provider -1: "local", file {"path" : "keyring.per"}` + "\n",
		"warning: entry 1 is superseded: pg_tde will fail to rotate the principal key\n",
		"warning: 4 bytes behind the last entry are ignored\n",
		"problem: entry 0 (timeline 1 at 0/1000000) does not unwrap",
		"problem: entry 3 begins before entry 2: WAL from timeline 1 at 0/2800000 to timeline 1 at 0/3000000 cannot be read back\n",
	} {
		if !strings.Contains(narrow(text.String()), want) {
			t.Errorf("no line %q in:\n%s", want, &text)
		}
	}
}

// narrow is text with the spaces between columns taken out.
func narrow(text string) string {
	return regexp.MustCompile(` *\n`).ReplaceAllString(regexp.MustCompile(`  +`).ReplaceAllString(text, " "), "\n")
}

func TestInspectWithoutThePrincipalKey(t *testing.T) {
	d, _ := dirOf(t, tdetest.KeyFile{Entries: []tdetest.Entry{{Type: tde.Encrypted, Start: tdetest.At(1, 1)}}})
	r := tde.NewKeys(d, fetchFrom(t.TempDir())).Inspect(t.Context())
	if len(r.Problems) != 1 || len(r.Entries) != 1 || r.Principal.Bits != 0 {
		t.Errorf("got %+v", r)
	}
}

func TestInspectWithoutWALKeys(t *testing.T) {
	r := tde.NewKeys(tde.None(t.TempDir()), noFetch(t)).Inspect(t.Context())
	if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "no wal_keys") {
		t.Errorf("got warnings %q", r.Warnings)
	}
	b, err := json.Marshal(r)
	if err != nil || !strings.Contains(string(b), `"entries":[],"providers":[]`) {
		t.Errorf("got %s, %v", b, err)
	}
}
