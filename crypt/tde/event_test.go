package tde_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"walarchive/archive/wal"
	"walarchive/crypt/tde"
	"walarchive/crypt/tde/tdetest"
	"walarchive/fixtures"
)

// recordedEvents decodes the records in the plaintext of a scenario's segments.
func recordedEvents(t *testing.T, scenario string) []string {
	t.Helper()
	s, err := fixtures.Open(scenario)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, g := range s.Segments {
		if !g.HasPlain() {
			continue
		}
		for _, r := range recordsIn(t, g) {
			e, err := tde.ParseEvent(r)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, fmt.Sprintf("%v %v", r.LSN, e))
		}
	}
	return all
}

func recordsIn(t testing.TB, g fixtures.Segment) []wal.TDERecord {
	t.Helper()
	b, err := g.Plain()
	if err != nil {
		t.Fatal(err)
	}
	name, err := wal.ParseName(g.Name, g.Size)
	if err != nil {
		t.Fatal(err)
	}
	id, err := wal.Identify(b)
	if err != nil {
		t.Fatal(err)
	}
	s := wal.NewScanner(name.Segment, wal.ScanOptions{Identity: id, KeepTail: true})
	if err := s.Next(b); err != nil {
		t.Fatal(err)
	}
	facts, _ := s.Close()
	return facts.TDE
}

// What the recorded servers logged is what was done to them: see steps.txt.
func TestRecordedEvents(t *testing.T) {
	for scenario, want := range map[string][]string{
		"A-plain":      nil,
		"B-single-key": nil,
		"C-rotation": {
			`0/B05F20 server key rotated to "key-alpha-2" in provider -1`,
			`0/D00028 provider -2 written (server): "prov-two-alpha" (file) at /srv/tde/c-keyring2.per`,
			`0/D004E0 server key rotated to "key-alpha-3" in provider -2`,
		},
		"I-open-fork": {`0/A44F38 server key rotated to "key-i-alpha-2" in provider -1`},
	} {
		if got := recordedEvents(t, scenario); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", scenario, got, want)
		}
	}
}

func TestParseEvent(t *testing.T) {
	header := tdetest.KeyFile{KeyName: "k1", Provider: -3}.Bytes()[8:320]
	file := tdetest.Provider(-2, "prov", `{"path" : "/x/keyring"}`, 1)
	for _, c := range []struct {
		name    string
		info    wal.TDEInfo
		payload []byte
		want    string // of String; empty: refused
	}{
		{"added", 0x10, header, `server key set: "k1" in provider -3`},
		{"added, short", 0x10, header[:311], ""},
		{"added, no name", 0x10, make([]byte, 312), ""},
		{"rotated", 0x20, tdetest.Rotation(1664, -1, "k2"), `server key rotated to "k2" in provider -1`},
		{"rotated, default", 0x20, tdetest.Rotation(1663, -1, "k2"), `default key rotated to "k2" in provider -1`},
		{"rotated, database", 0x20, tdetest.Rotation(16384, 2, "k2"), `database 16384 key rotated to "k2" in provider 2`},
		{"rotated, long", 0x20, append(tdetest.Rotation(1664, -1, "k2"), 0), ""},
		{"rotated, no end of name", 0x20, tdetest.Rotation(1664, -1, strings.Repeat("k", 256)), ""},
		{"provider", 0x30, tdetest.ProviderWrite(1664, 1160, file), `provider -2 written (server): "prov" (file) at /x/keyring`},
		{"provider between records", 0x30, tdetest.ProviderWrite(1664, 1000, file), ""},
		{"provider far away", 0x30, tdetest.ProviderWrite(1664, 1160<<40, file), ""},
		{"provider deleted", 0x30, tdetest.ProviderWrite(5, 0, tdetest.Provider(7, "", "", 0)), "provider 7 deleted (database 5)"},
		{"Percona's vault", 0x30, tdetest.ProviderWrite(1664, 0, tdetest.Provider(-1, "v", `{"url":"https://v:8200","mountPath":"m","tokenPath":"/t"}`, 2)),
			`provider -1 written (server): "v" (vault-v2) at https://v:8200 mount m`},
		{"the fork's kmip", 0x30, tdetest.ProviderWrite(1664, 0, tdetest.Provider(-1, "k", `{"host":"h","port":5696,"caPath":"a","certPath":"b","keyPath":"c"}`, 2)),
			`provider -1 written (server): "k" (kmip) at h:5696`},
		{"the fork's openbao", 0x30, tdetest.ProviderWrite(1664, 0, tdetest.Provider(-1, "o", `{"url":"https://v:8200","mountPath":"m","tokenPath":"/t","namespace":"n"}`, 3)),
			`provider -1 written (server): "o" (openbao) at https://v:8200 mount m namespace n`},
		{"options that nobody reads", 0x30, tdetest.ProviderWrite(1664, 0, tdetest.Provider(-1, "x", "{}", 3)),
			`provider -1 written (server): "x" (kmip) at {}`},
		{"deleted", 0x60, binary.LittleEndian.AppendUint32(nil, 5), "database 5 key deleted"},
		{"deleted, empty", 0x60, nil, ""},
		{"another kind", 0x50, make([]byte, 12), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := tde.ParseEvent(wal.TDERecord{LSN: 0x28, Info: c.info, Payload: c.payload})
			switch {
			case c.want == "" && err == nil:
				t.Errorf("accepted as %v", e)
			case c.want != "" && err != nil:
				t.Error(err)
			case err == nil && e.String() != c.want:
				t.Errorf("got %q, want %q", e, c.want)
			}
		})
	}
}

// What a record of an added key carries proves the key.
func TestAddedKeyIsProven(t *testing.T) {
	header := tdetest.KeyFile{Principal: key(t, 1)}.Bytes()[8:320]
	e, err := tde.ParseEvent(wal.TDERecord{Info: wal.TDEAddPrincipalKey, Payload: header})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Signed.Verify(key(t, 1)); err != nil {
		t.Error(err)
	}
	if err := e.Signed.Verify(key(t, 2)); !errors.Is(err, tde.ErrWrongKey) {
		t.Errorf("another key: got %v, want %v", err, tde.ErrWrongKey)
	}
}

// FuzzEvent: a record is refused or read, and never more than that.
func FuzzEvent(f *testing.F) {
	all, err := fixtures.Scenarios()
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range all {
		for _, g := range s.Segments {
			if !g.HasPlain() {
				continue
			}
			for _, r := range recordsIn(f, g) {
				f.Add(uint8(r.Info), r.Payload)
			}
		}
	}
	f.Add(uint8(wal.TDEAddPrincipalKey), tdetest.KeyFile{}.Bytes()[8:320])
	f.Add(uint8(wal.TDEDeletePrincipalKey), []byte{5, 0, 0, 0})
	f.Fuzz(func(t *testing.T, info uint8, payload []byte) {
		e, err := tde.ParseEvent(wal.TDERecord{Info: wal.TDEInfo(info), Payload: payload})
		if err != nil {
			if !errors.Is(err, tde.ErrDamaged) && !errors.Is(err, tde.ErrUnsupported) {
				t.Errorf("another error: %v", err)
			}
			return
		}
		var r tde.Replay
		if uses := r.Apply(e); len(uses) > 1 {
			t.Errorf("one record, %d keys", len(uses))
		}
		if e.String() == "" {
			t.Error("an event without text")
		}
	})
}
