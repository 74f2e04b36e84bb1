package config

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

const sample = `
[cluster]
name   = "main"
pgdata = "/var/lib/postgresql/17/main"   # default: the working directory, where PostgreSQL runs the commands
[storage]
url = "file:///srv/wal"
[keys]
provider  = "local"                       # one of [keys.providers.*]
principal = "wal-2026"
[keys.providers.local]
type = "file"
path = "/srv/walarchive/keyring"
[tde]                                     # optional; pg_tde's own providers come from 1664_providers
map = { "/srv/tde" = "/mnt/keys" }        # path prefixes in provider options, rewritten
`

func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "walarchive.toml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestLoadFile(t *testing.T) {
	c, err := Load(Sources{File: write(t, sample)})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.RequireArchive(); err != nil {
		t.Error(err)
	}
	want := defaults()
	want.Cluster.PGData = "/var/lib/postgresql/17/main"
	want.Storage.URL = "file:///srv/wal"
	want.Keys.Provider = "local"
	want.Keys.Principal = "wal-2026"
	want.Keys.Providers = map[string]map[string]string{"local": {"type": "file", "path": "/srv/walarchive/keyring"}}
	want.TDE.Map = map[string]string{"/srv/tde": "/mnt/keys"}
	want.source, want.seen = c.source, c.seen
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

func TestEverySettingFromFile(t *testing.T) {
	c, err := Load(Sources{File: write(t, sample+`
require_encrypted_restore = true
[archive]
codec = "none"
workers = 3
[push]
timeout = "30s"
[restore]
retry_for = "1h30m"
on_error = "stop"
history_on_error = "stop"
timeline = 7
[spool]
path = "/tmp/spool"
[verify]
accepted_gaps = ["000000010000000000000003..000000010000000000000005"]
[log]
level = "debug"
format = "json"
`)})
	if err != nil {
		t.Fatal(err)
	}
	if !c.TDE.RequireEncryptedRestore || c.Archive.Codec != "none" || c.Archive.Workers != 3 ||
		c.Push.Timeout != 30*time.Second || c.Restore.RetryFor != 90*time.Minute ||
		c.Restore.OnError != "stop" || c.Restore.HistoryOnError != "stop" || c.Restore.Timeline != 7 ||
		c.Spool.Path != "/tmp/spool" || len(c.Verify.AcceptedGaps) != 1 ||
		c.Log.Level != slog.LevelDebug || !c.Log.JSON {
		t.Errorf("a setting was lost: %+v", c)
	}
}

// Every setting can be given in the environment, under a name of its own.
func TestEnvironmentNames(t *testing.T) {
	seen := map[string]string{}
	for _, s := range defaults().settings() {
		v := variable(s.key)
		if other, taken := seen[v]; taken {
			t.Errorf("%s and %s are both %s", s.key, other, v)
		}
		seen[v] = s.key
		if s.doc == "" {
			t.Errorf("%s is not explained", s.key)
		}
	}
}

func TestOrderOfSources(t *testing.T) {
	file := write(t, sample)
	tests := []struct {
		name    string
		environ []string
		set     []string
		want    string
	}{
		{"file", nil, nil, "file:///srv/wal"},
		{"environment over file", []string{"WALARCHIVE_STORAGE_URL=file:///env"}, nil, "file:///env"},
		{"empty variable says nothing", []string{"WALARCHIVE_STORAGE_URL="}, nil, "file:///srv/wal"},
		{"flag over environment", []string{"WALARCHIVE_STORAGE_URL=file:///env"}, []string{"storage.url=file:///flag"}, "file:///flag"},
		{"last flag", nil, []string{"storage.url=file:///a", "storage.url=file:///b"}, "file:///b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Load(Sources{File: file, Environ: tt.environ, Set: tt.set})
			if err != nil {
				t.Fatal(err)
			}
			if c.Storage.URL != tt.want {
				t.Errorf("storage.url = %q, want %q", c.Storage.URL, tt.want)
			}
		})
	}
}

func TestEnvironmentAlone(t *testing.T) {
	c, err := Load(Sources{File: write(t, ""), Environ: []string{
		"PATH=/bin",
		"WALARCHIVE_CONFIG=/not/read",
		"WALARCHIVE_KEYS_PROVIDERS_LOCAL_TYPE=file",
		"WALARCHIVE_KEYS_PROVIDERS_LOCAL_PATH=/keyring",
		"WALARCHIVE_KEYS_PROVIDER=local",
		"WALARCHIVE_TDE_MAP=/srv/tde=/mnt/a,/x=/y",
		"WALARCHIVE_TDE_REQUIRE_ENCRYPTED_RESTORE=true",
		"WALARCHIVE_ARCHIVE_WORKERS=2",
		"WALARCHIVE_RESTORE_TIMELINE=latest",
		"WALARCHIVE_VERIFY_ACCEPTED_GAPS=000000010000000000000003..000000010000000000000003",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Keys.Providers["local"]["path"]; got != "/keyring" {
		t.Errorf("provider's path = %q", got)
	}
	if want := map[string]string{"/srv/tde": "/mnt/a", "/x": "/y"}; !reflect.DeepEqual(c.TDE.Map, want) {
		t.Errorf("tde.map = %v, want %v", c.TDE.Map, want)
	}
	if !c.TDE.RequireEncryptedRestore || c.Archive.Workers != 2 || c.Restore.Timeline != 0 || len(c.Verify.AcceptedGaps) != 1 {
		t.Errorf("a variable was lost: %+v", c)
	}
}

// Options of providers may have underscores in their names, and so may
// providers.
func TestProviderVariables(t *testing.T) {
	for name, want := range map[string]string{
		"KEYS_PROVIDERS_LOCAL_PATH":              "keys.providers.local.path",
		"KEYS_PROVIDERS_MY_VAULT_URL":            "keys.providers.my_vault.url",
		"KEYS_PROVIDERS_V_TOKEN":                 "keys.providers.v.token",
		"KEYS_PROVIDERS_V_TOKEN_FILE":            "keys.providers.v.token_file",
		"KEYS_PROVIDERS_MY_VAULT_SECRET_ID_FILE": "keys.providers.my_vault.secret_id_file",
		"KEYS_PROVIDERS_V_AUTH_MOUNT":            "keys.providers.v.auth_mount",
		"KEYS_PROVIDERS_V_OTHER":                 "keys.providers.v.other",
		"KEYS_PROVIDERS_V":                       "keys.providers.v",
		"TDE_PROVIDERS_PG_VAULT_TOKEN_FILE":      "tde.providers.pg_vault.token_file",
		"TDE_PROVIDERS_V_PORT":                   "tde.providers.v.port",
	} {
		if got := optionKey(prefix + name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func TestNoSecretOnTheCommandLine(t *testing.T) {
	for _, key := range []string{"keys.providers.v.token", "tde.providers.v.token"} {
		_, err := Load(Sources{File: write(t, sample), Set: []string{key + "=planted"}})
		if err == nil || strings.Contains(err.Error(), "planted") {
			t.Errorf("%s: got %v, want a refusal that does not repeat it", key, err)
		}
	}
}

// Names of pg_tde's providers are any text, and their case does not count.
func TestOverrides(t *testing.T) {
	c, err := Load(Sources{
		File:    write(t, "[tde.providers.'Key Store.eu']\nurl = 'https://a'\nca = ''\n[tde.providers.FILES]\ntype = 'file'\npath = '/k'"),
		Environ: []string{"WALARCHIVE_TDE_PROVIDERS_FILES_PATH=/environ"},
		Set:     []string{"tde.providers.key store.EU.namespace=ns"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]map[string]string{
		"key store.eu": {"url": "https://a", "ca": "", "namespace": "ns"},
		"files":        {"type": "file", "path": "/environ"},
	}
	if !reflect.DeepEqual(c.TDE.Providers, want) {
		t.Errorf("got %v, want %v", c.TDE.Providers, want)
	}
}

func TestFileFromEnvironment(t *testing.T) {
	c, err := Load(Sources{Environ: []string{"WALARCHIVE_CONFIG=" + write(t, sample)}})
	if err != nil {
		t.Fatal(err)
	}
	if c.Keys.Principal != "wal-2026" {
		t.Error("the file that WALARCHIVE_CONFIG names was not read")
	}
}

func TestMistakes(t *testing.T) {
	tests := []struct {
		name, file   string
		environ, set []string
		want         string // in the message
		hint         string // in the hint
	}{
		{name: "unknown key", file: "[storage]\n\nulr = 'x'", want: ":3: unknown setting storage.ulr", hint: "did you mean storage.url?"},
		{name: "key of another section", file: "[archive]\nurl = 'x'", want: ":2: unknown setting archive.url", hint: "did you mean storage.url?"},
		{name: "key without section", file: "name = 'x'", want: ":1: unknown setting name", hint: "did you mean cluster.name?"},
		{name: "unknown section", file: "[storage]\nurl='file:///x'\n[elsewhere]\nfoo = 1", want: ":3: unknown setting elsewhere"},
		{name: "nothing near", file: "[cluster]\nquux = 1", want: ":2: unknown setting cluster.quux"},
		{name: "case counts", file: "[storage]\nURL = 'x'", want: ":2: unknown setting storage.URL"},
		{name: "section for a value", file: "[storage]\n[storage.url]\nx = 1", want: "storage.url: wants a text"},
		{name: "value for a section", file: "storage = 'x'", want: ":1: unknown setting storage"},
		{name: "not TOML", file: "[storage]\nurl = file", want: ":2: "},
		{name: "key twice", file: "[storage]\nurl = 'file:///a'\nurl = 'file:///b'", want: ":3: "},
		{name: "number for a text", file: "[storage]\nurl = 5", want: ":2: storage.url: wants a text in quotes"},
		{name: "bad URL", file: "[storage]\nurl = '/srv/wal'", want: `"/srv/wal" is no URL`, hint: "storage.url: where"},
		{name: "bad cluster name", file: "[cluster]\nname = 'a/b'", want: `:2: cluster.name: "a/b" is no name`},
		{name: "cluster name that climbs", file: "[cluster]\nname = '..'", want: `cluster.name: ".." is no name`},
		{name: "relative data directory", file: "[cluster]\npgdata = 'pg'", want: "no absolute path"},
		{name: "number for a time", file: "[push]\ntimeout = 60", want: ":2: push.timeout: wants a text in quotes"},
		{name: "time without unit", file: "[push]\ntimeout = '60'", want: `"60" is no time span`},
		{name: "time out of bounds", file: "[push]\ntimeout = '0s'", want: "0s is not between 1s and 1h0m0s"},
		{name: "choice", file: "[restore]\non_error = 'ignore'", want: `"ignore" is none of auto, stop, absent`},
		{name: "workers", file: "[archive]\nworkers = 1000", want: "1000 is not between 0 and 256"},
		{name: "workers as text", file: "[archive]\nworkers = '2'", want: "wants a number"},
		{name: "flag as text", file: "[tde]\nrequire_encrypted_restore = 'yes'", want: "wants true or false"},
		{name: "map", file: "[tde]\nmap = { a = 1 }", want: "wants a table"},
		{name: "timeline", file: "[restore]\ntimeline = 'newest'", want: `"newest" is neither latest nor`},
		{name: "timeline 0", file: "[restore]\ntimeline = 0", want: `"0" is neither latest nor`},
		{name: "gap", file: "[verify]\naccepted_gaps = ['3..5']", want: `"3..5" is not two segment names`},
		{name: "gaps no list", file: "[verify]\naccepted_gaps = '3..5'", want: "wants a list"},
		{name: "log level", file: "[log]\nlevel = 'loud'", want: `"loud" is none of debug`},
		{name: "log format", file: "[log]\nformat = 'xml'", want: `"xml" is none of text`},
		{name: "anchor", file: "[keys]\nanchor = 'abc'", want: `"abc" is no anchor`},
		{name: "provider of no type", file: "[keys.providers.local]\npath = '/k'", want: `:2: key provider local: type "" is none of: file`},
		{name: "provider of unknown type", file: "[keys.providers.local]\ntype = 'disk'", want: `type "disk" is none of: file`},
		{name: "provider without path", file: "[keys.providers.local]\ntype = 'file'", want: "key provider local: path is not set"},
		{name: "provider with relative path", file: "[keys.providers.local]\ntype = 'file'\npath='k'", want: "not absolute"},
		{name: "provider's unknown option", file: "[keys.providers.local]\ntype = 'file'\npath='/k'\nmode='x'", want: "unknown option mode"},
		{name: "provider's option no text", file: "[keys.providers.local]\ntype = 'file'\npath=1", want: ":3: keys.providers.local.path: wants a text"},
		{name: "provider is a text", file: "[keys.providers]\nlocal = 'file'", want: ":2: unknown setting keys.providers.local"},
		{name: "provider that is not there", file: "[keys]\nprovider = 'vault'", want: ":2: keys.provider: there is no [keys.providers.vault]"},
		{name: "override's unknown option", file: "[tde.providers.v]\nurl = 'https://v'\nmountPath = 'm'", want: ":2: tde.providers.v: unknown option mountPath"},
		{name: "override with a type is whole", file: "[tde.providers.v]\ntype = 'file'", want: ":2: tde.providers.v: path is not set"},
		{name: "override of an endless name", file: "[tde.providers." + strings.Repeat("x", 128) + "]\nurl = 'https://v'", want: "a name has 1 to 127 bytes"},
		{name: "override no text", file: "[tde.providers.v]\nport = 5696", want: ":2: tde.providers.v.port: wants a text in quotes"},
		{name: "unknown variable", environ: []string{"WALARCHIVE_STORAGE_ULR=x"}, want: "WALARCHIVE_STORAGE_ULR: unknown setting storage.ulr", hint: "storage.url"},
		{name: "bad variable", environ: []string{"WALARCHIVE_ARCHIVE_WORKERS=x"}, want: `WALARCHIVE_ARCHIVE_WORKERS: archive.workers: "x" is no number`},
		{name: "bad map variable", environ: []string{"WALARCHIVE_TDE_MAP=x"}, want: `"x" is not FROM=TO`},
		{name: "bad flag variable", environ: []string{"WALARCHIVE_TDE_REQUIRE_ENCRYPTED_RESTORE=1"}, want: "neither true nor false"},
		{name: "unknown --set", set: []string{"storage.ulr=x"}, want: "--set storage.ulr: unknown setting", hint: "storage.url"},
		{name: "--set without value", set: []string{"storage.url"}, want: "--set storage.url: is not KEY=VALUE"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(Sources{File: write(t, tt.file), Environ: tt.environ, Set: tt.set})
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if !strings.Contains(e.Error(), tt.want) || strings.Contains(e.Error(), "\n") {
				t.Errorf("got  %v\nwant one line with %q", e, tt.want)
			}
			if !strings.Contains(e.Hint(), tt.hint) {
				t.Errorf("hint %q, want one with %q", e.Hint(), tt.hint)
			}
		})
	}
}

func TestFileMissing(t *testing.T) {
	_, err := Load(Sources{File: filepath.Join(t.TempDir(), "absent.toml")})
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(e.Error(), "absent.toml") || e.Hint() == "" {
		t.Errorf("got %v, want an error with a hint that names the file", err)
	}
}

func TestRequireArchive(t *testing.T) {
	tests := []struct{ name, file, want string }{
		{"nothing", "", "storage.url is not set"},
		{"no provider", "[storage]\nurl = 'file:///x'", "keys.provider is not set"},
		{"no principal", "[storage]\nurl = 'file:///x'\n[keys]\nprovider = 'l'\n[keys.providers.l]\ntype='file'\npath='/k'", "keys.principal is not set"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Load(Sources{File: write(t, tt.file)})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.RequireArchive(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func FuzzFile(f *testing.F) {
	f.Add(sample)
	f.Add("[a.b]\nc.d = [1, {x = 2}]")
	f.Add("[[storage]]\nurl = 1")
	f.Fuzz(func(t *testing.T, text string) {
		values, err := fileValues("f", []byte(text))
		var e *Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("%v is no *Error", err)
		}
		c := defaults()
		for _, v := range values {
			if err := c.apply(v); err != nil && !errors.As(err, &e) {
				t.Fatalf("%v is no *Error", err)
			}
		}
	})
}
