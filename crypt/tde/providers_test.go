package tde_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"walarchive/crypt/tde"
	"walarchive/crypt/tde/tdetest"
	"walarchive/fixtures"
)

func TestVectorProviders(t *testing.T) {
	var v struct {
		File struct {
			SHA256  string `json:"file_sha256"`
			Records []struct {
				ID            int32
				Name, Options string
				Type          uint32
			}
		} `json:"providers_file"`
	}
	b, err := fixtures.Read("vectors/pg_tde.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	var file []byte
	for _, r := range v.File.Records {
		file = append(file, tdetest.Provider(r.ID, r.Name, r.Options, r.Type)...)
	}
	if got := sha256.Sum256(file); hex.EncodeToString(got[:]) != v.File.SHA256 {
		t.Errorf("got SHA-256 %x, want %s", got, v.File.SHA256)
	}
	ps, err := tde.ParseProviders(file, tde.Percona)
	if err != nil {
		t.Fatal(err)
	}
	if len(ps) != 4 {
		t.Fatalf("got %d providers, want 4", len(ps))
	}
	wantOptions := []tde.Options{
		tde.FileOptions{Path: "/keys/global.per"},
		nil,
		tde.VaultOptions{URL: "https://127.0.0.1:8200", MountPath: "tde", TokenPath: "/keys/token", Namespace: "ns1"},
		tde.KMIPOptions{Host: "127.0.0.1", Port: "5696", CAPath: "/keys/ca.pem", CertPath: "/keys/c.pem", KeyPath: "/keys/k.pem"},
	}
	for i, r := range v.File.Records {
		p := ps[i]
		if p.ID != r.ID || p.Name != r.Name || p.Text != r.Options || (p.Type == tde.DeletedProvider) != (wantOptions[i] == nil) {
			t.Errorf("record %d: got %d %q %s %s", i, p.ID, p.Name, p.Type, p.Text)
		}
		if !bytes.Equal(p.Raw(), file[i*1160:][:1160]) {
			t.Errorf("record %d: Raw differs", i)
		}
		switch got, err := p.Options(); {
		case wantOptions[i] == nil && !errors.Is(err, tde.ErrProvider):
			t.Errorf("record %d, deleted: got %v, %v", i, got, err)
		case wantOptions[i] != nil && (err != nil || got != wantOptions[i]):
			t.Errorf("record %d: got %v, %v; want %v", i, got, err, wantOptions[i])
		}
	}
}

func TestProviderTypesByFlavor(t *testing.T) {
	tests := []struct {
		flavor tde.Flavor
		number uint32
		want   tde.ProviderType
	}{
		{tde.Percona, 0, tde.DeletedProvider},
		{tde.Percona, 1, tde.FileProvider},
		{tde.Percona, 2, tde.VaultProvider},
		{tde.Percona, 3, tde.KMIPProvider},
		{tde.Percona, 4, "unknown type 4"},
		{tde.Fork, 0, tde.DeletedProvider},
		{tde.Fork, 1, tde.FileProvider},
		{tde.Fork, 2, tde.KMIPProvider},
		{tde.Fork, 3, tde.OpenBaoProvider},
		{tde.Fork, 0xFFFFFFFF, "unknown type 4294967295"},
	}
	for _, tt := range tests {
		ps, err := tde.ParseProviders(tdetest.Provider(-1, "p", "{}", tt.number), tt.flavor)
		if err != nil || ps[0].Type != tt.want {
			t.Errorf("%s, type %d: got %v, %v; want %s", tt.flavor, tt.number, ps, err, tt.want)
		}
	}
}

func TestParseProvidersRefuses(t *testing.T) {
	record := tdetest.Provider(-1, "p", "{}", 1)
	noEnd := bytes.Clone(record)
	copy(noEnd[4:], bytes.Repeat([]byte{'n'}, 128))
	for name, b := range map[string][]byte{
		"a short record":   record[:1159],
		"bytes behind":     append(bytes.Clone(record), 0),
		"name without end": noEnd,
	} {
		if ps, err := tde.ParseProviders(b, tde.Percona); !errors.Is(err, tde.ErrDamaged) {
			t.Errorf("%s: got %v, %v; want %v", name, ps, err, tde.ErrDamaged)
		}
	}
}

func TestProviderOfTheServerKeySkipsDeletedRecords(t *testing.T) {
	pgdata := t.TempDir()
	dir := tdetest.KeyFile{Provider: -2}.Write(t, pgdata, tde.Percona)
	writeFile(t, dir, "1664_providers", slices.Concat(
		tdetest.Provider(-1, "other", "{}", 1),
		tdetest.Provider(-2, "", "", 0),
		tdetest.Provider(-2, "first", "{}", 2),
		tdetest.Provider(-2, "second", "{}", 1),
	))
	d, err := tde.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := d.Provider(); err != nil || p.Name != "first" {
		t.Errorf("got %q, %v; want the first record of that id that is not deleted", p.Name, err)
	}
}

func options(typ uint32, text string) (tde.Options, error) {
	ps, err := tde.ParseProviders(tdetest.Provider(-1, "p", text, typ), tde.Percona)
	if err != nil {
		return nil, err
	}
	return ps[0].Options()
}

func TestOptions(t *testing.T) {
	vault := `"url":"https://v:8200","mountPath":"m","tokenPath":"/t"`
	tests := []struct {
		name string
		typ  uint32
		text string
		want tde.Options
		err  string
	}{
		{name: "as the SQL functions write it", typ: 1, text: `{"path" : "/x/y"}`, want: tde.FileOptions{Path: "/x/y"}},
		{name: "as pg_tde_change_key_provider writes it", typ: 1, text: `{"path":"/x/y"}`, want: tde.FileOptions{Path: "/x/y"}},
		{name: "escapes", typ: 1, text: `{"path":"\u002fx\/\"y"}`, want: tde.FileOptions{Path: `/x/"y`}},
		{name: "a number is its text", typ: 1, text: `{"path":1.50e1}`, want: tde.FileOptions{Path: "1.50e1"}},
		{name: "the last of a repeated key", typ: 1, text: `{"path":"/a","path":"/b"}`, want: tde.FileOptions{Path: "/b"}},
		{name: "null is absent", typ: 1, text: `{"path":null}`, err: `"path" is missing`},
		{name: "empty is absent", typ: 1, text: `{"path":""}`, err: `"path" is missing`},
		{name: "nothing", typ: 1, text: `{}`, err: `"path" is missing`},
		{name: "unknown key", typ: 1, text: `{"path":"/x","mode":"1"}`, err: `"mode" is unknown`},
		{name: "case counts", typ: 1, text: `{"Path":"/x"}`, err: `"Path" is unknown`},
		{name: "boolean", typ: 1, text: `{"path":true}`, err: "neither text nor number"},
		{name: "array", typ: 1, text: `{"path":["/x"]}`, err: "neither text nor number"},
		{name: "object", typ: 1, text: `{"path":{"path":"/x"}}`, err: "neither text nor number"},
		{name: "no object", typ: 1, text: `"path"`, err: "not a JSON object"},
		{name: "no text", typ: 1, text: ``, err: "not a JSON object"},
		{name: "cut off", typ: 1, text: `{"path":"/x"`, err: "not JSON"},
		{name: "more behind", typ: 1, text: `{"path":"/x"}{}`, err: "go on behind"},
		{name: "not UTF-8", typ: 1, text: "{\"path\":\"/\xff\"}", err: "not UTF-8"},
		{name: "unknown type", typ: 9, text: `{"path":"/x"}`, err: "cannot be used"},
		{
			name: "vault, all", typ: 2, text: `{` + vault + `,"caPath":"/c","namespace":"ns"}`,
			want: tde.VaultOptions{URL: "https://v:8200", MountPath: "m", TokenPath: "/t", CAPath: "/c", Namespace: "ns"},
		},
		{
			name: "vault, optional ones empty", typ: 2, text: `{` + vault + `,"caPath":"","namespace":null}`,
			want: tde.VaultOptions{URL: "https://v:8200", MountPath: "m", TokenPath: "/t"},
		},
		{name: "vault without token", typ: 2, text: `{"url":"u","mountPath":"m"}`, err: `"tokenPath" is missing`},
		{name: "kmip without host", typ: 3, text: `{"port":5696,"caPath":"a","certPath":"b","keyPath":"c"}`, err: `"host" is missing`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := options(tt.typ, tt.text)
			switch {
			case tt.err == "" && (err != nil || got != tt.want):
				t.Errorf("got %v, %v; want %v", got, err, tt.want)
			case tt.err != "" && (!errors.Is(err, tde.ErrProvider) || !strings.Contains(err.Error(), tt.err)):
				t.Errorf("got %v, %v; want %v: %s", got, err, tde.ErrProvider, tt.err)
			}
		})
	}
}

func TestMapPathsLeavesTheRest(t *testing.T) {
	up := func(p string) string { return "/mnt" + p }
	tests := []struct{ in, want tde.Options }{
		{tde.FileOptions{Path: "/k"}, tde.FileOptions{Path: "/mnt/k"}},
		{
			tde.VaultOptions{URL: "/u", MountPath: "/m", TokenPath: "/t", Namespace: "/n"},
			tde.VaultOptions{URL: "/u", MountPath: "/m", TokenPath: "/mnt/t", Namespace: "/n"},
		},
		{tde.VaultOptions{TokenPath: "/t", CAPath: "/c"}, tde.VaultOptions{TokenPath: "/mnt/t", CAPath: "/mnt/c"}},
		{
			tde.KMIPOptions{Host: "/h", Port: "1", CAPath: "/a", CertPath: "/b", KeyPath: "/c"},
			tde.KMIPOptions{Host: "/h", Port: "1", CAPath: "/mnt/a", CertPath: "/mnt/b", KeyPath: "/mnt/c"},
		},
	}
	for _, tt := range tests {
		if got := tt.in.MapPaths(up); got != tt.want {
			t.Errorf("got %v, want %v", got, tt.want)
		}
	}
}

func FuzzProviders(f *testing.F) {
	addFiles(f, "1664_providers")
	f.Fuzz(func(t *testing.T, b []byte) {
		ps, err := tde.ParseProviders(b, tde.Percona)
		if err != nil {
			if !errors.Is(err, tde.ErrDamaged) {
				t.Errorf("another error: %v", err)
			}
			return
		}
		var again []byte
		for _, p := range ps {
			again = append(again, p.Raw()...)
			if _, err := p.Options(); err != nil && !errors.Is(err, tde.ErrProvider) {
				t.Errorf("another error: %v", err)
			}
		}
		if !bytes.Equal(again, b) {
			t.Error("the records do not make up the file")
		}
	})
}

// FuzzOptions: options that are accepted give what encoding/json reads.
func FuzzOptions(f *testing.F) {
	f.Add(`{"path" : "/x/y"}`)
	f.Add(`{"path":null,"path":12e3}`)
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1023 || strings.ContainsRune(text, 0) {
			return
		}
		got, err := options(1, text)
		if err != nil {
			if !errors.Is(err, tde.ErrProvider) {
				t.Errorf("another error: %v", err)
			}
			return
		}
		var want map[string]any
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&want); err != nil || !utf8.ValidString(text) {
			t.Fatalf("accepted %q: %v", text, err)
		}
		path, _ := want["path"].(string)
		if n, ok := want["path"].(json.Number); ok {
			path = n.String()
		}
		if len(want) != 1 || got.(tde.FileOptions).Path != path {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}
