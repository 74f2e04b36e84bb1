package azure

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"walarchive/storage"
)

func TestOptions(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"no container":               {func(o *Options) { o.Container = "" }, "no container"},
		"capitals":                   {func(o *Options) { o.Container = "WAL" }, "name of a container"},
		"a path":                     {func(o *Options) { o.Container = "wal/../x" }, "name of a container"},
		"a container with a query":   {func(o *Options) { o.Container = "wal?sig=x" }, "name of a container"},
		"an account with a host":     {func(o *Options) { o.Account = "a.blob.core.windows.net" }, "name of a storage account"},
		"no account":                 {func(o *Options) { o.Account, o.Endpoint, o.KeyFile = "", "", "" }, "no storage account"},
		"a key without account":      {func(o *Options) { o.Account = "" }, "name of its account"},
		"two secrets":                {func(o *Options) { o.SASFile = o.KeyFile }, "only one"},
		"a string and an account":    {func(o *Options) { o.KeyFile, o.ConnectionStringFile = "", o.KeyFile }, "set neither"},
		"an endpoint without scheme": {func(o *Options) { o.Endpoint = "host/account" }, "no URL"},
		"an endpoint with a user":    {func(o *Options) { o.Endpoint = "https://u:hidden@host/" }, "user information or a query"},
		"an endpoint with a SAS":     {func(o *Options) { o.Endpoint = "https://host/?sig=hidden" }, "user information or a query"},
		"an unknown tier":            {func(o *Options) { o.Tier = "Archive" }, "access tier"},
		"an unknown mode":            {func(o *Options) { o.RetainMode = "COMPLIANCE" }, "retention mode"},
		"a mode without time":        {func(o *Options) { o.RetainMode = "Locked" }, "both or neither"},
		"a time without mode":        {func(o *Options) { o.RetainFor = time.Hour }, "both or neither"},
		"a small part":               {func(o *Options) { o.PartSize = 1 }, "part size"},
		"a large part":               {func(o *Options) { o.PartSize = 5000 << 20 }, "part size"},
		"too many at once":           {func(o *Options) { o.Concurrency = 65 }, "concurrency"},
		"a missing file":             {func(o *Options) { o.KeyFile = "/no/such/file" }, "/no/such/file"},
		"a missing CA file":          {func(o *Options) { o.CAFile = "/no/such/file" }, "/no/such/file"},
		"a CA file without one":      {func(o *Options) { o.CAFile = o.KeyFile }, "no certificate"},
		"a key in the clear":         {func(o *Options) { o.Endpoint = "http://host/account" }, ""},
		"a token in the clear":       {func(o *Options) { o.Endpoint, o.KeyFile = "http://host/account", "" }, "https only"},
		"just an account":            {func(o *Options) { o.Endpoint = "" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{Container: "wal-1", Account: "account", Endpoint: "https://host/account/", KeyFile: writeFile(t, "a2V5\n")}
			c.change(&o)
			_, err := New(t.Context(), o)
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, storage.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if strings.Contains(fmt.Sprint(err, hintOf(err)), "hidden") {
				t.Errorf("%v: shows a secret", err)
			}
		})
	}
}

const signature = "sv=2024-11-04&ss=b&srt=co&sp=rl&se=2030-01-02T03:04:05Z&sig=aGlkZGVu%3D"

func TestConnectionStrings(t *testing.T) {
	for _, c := range []struct {
		text string
		want access
		err  string
	}{
		{text: "DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=a2V5;EndpointSuffix=core.windows.net",
			want: access{endpoint: "https://acc.blob.core.windows.net", account: "acc", key: "a2V5"}},
		{text: "AccountName=acc;AccountKey=a2V5==;", err: "base64"},
		{text: "AccountName=acc;AccountKey=a2V5", want: access{endpoint: "https://acc.blob.core.windows.net", account: "acc", key: "a2V5"}},
		{text: "BlobEndpoint=http://127.0.0.1:10000/acc/;AccountName=acc;AccountKey=a2V5", want: access{endpoint: "http://127.0.0.1:10000/acc", account: "acc", key: "a2V5"}},
		{text: "BlobEndpoint=https://host;SharedAccessSignature=" + signature, want: access{endpoint: "https://host"}},
		{text: "AccountKey=a2V5;BlobEndpoint=https://host", err: "needs an AccountName"},
		{text: "AccountName=acc", err: "no shared access signature"},
		{text: "AccountKey=a2V5", err: "neither AccountName nor BlobEndpoint"},
		{text: "AccountName=acc;AccountName=acc;AccountKey=a2V5", err: "each name once"},
		{text: "AccountName=../..;AccountKey=a2V5", err: "AccountName is not"},
		{text: "BlobEndpoint=https://host?x=y;AccountName=acc;AccountKey=a2V5", err: "no URL"},
		{text: "hidden", err: "not of the form"},
		{text: "", err: "not of the form"},
	} {
		got, err := parseConnectionString(c.text)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "hidden") {
				t.Errorf("%q: got error %v, want %q", c.text, err, c.err)
			}
			continue
		}
		if c.want.key == "" {
			c.want.sas = got.sas
		}
		if err != nil || got != c.want {
			t.Errorf("%q: error %v, or another result", c.text, err)
		}
	}
}

func TestSASExpiry(t *testing.T) {
	for text, want := range map[string]string{
		signature:                         "2030-01-02T03:04:05Z",
		"?" + signature:                   "2030-01-02T03:04:05Z",
		"sig=x&se=2030-01-02T03%3A04Z":    "2030-01-02T03:04:00Z",
		"sig=x&se=2030-01-02":             "2030-01-02T00:00:00Z",
		"sig=x&si=policy":                 "0001-01-01T00:00:00Z",
		"sig=x&se=2030-01-02T03:04:05.6Z": "2030-01-02T03:04:05Z",
	} {
		sas, err := parseSAS(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := (access{sas: sas}).expires().UTC().Format(time.RFC3339); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{"", "?", "sv=1&se=2", "sig=", "%zz", "sig=a;b"} {
		if _, err := parseSAS(text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

// No verb shows what opens an account.
func TestAccessIsHidden(t *testing.T) {
	a := access{endpoint: "https://host", account: "acc", key: "c2VjcmV0", sas: "sig=c2VjcmV0"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		if got := fmt.Sprintf(verb, a); got != "access(hidden)" {
			t.Errorf("%s: got %s", verb, got)
		}
	}
}

// No error says what is in the file, and none is read without bound.
func TestSecretFiles(t *testing.T) {
	for name, text := range map[string]string{
		"no base64": "hidden!", "empty": "", "large": strings.Repeat("hidden", maxSecret),
	} {
		o := Options{Container: "wal", Account: "account", KeyFile: writeFile(t, text)}
		_, err := New(t.Context(), o)
		if !errors.Is(err, storage.ErrInvalid) || strings.Contains(err.Error(), "hidden") || !strings.Contains(err.Error(), o.KeyFile) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	o := Options{Container: "wal", Account: "account", SASFile: os.DevNull}
	if _, err := New(t.Context(), o); !errors.Is(err, storage.ErrInvalid) {
		t.Errorf("nothing: got %v", err)
	}
}

func FuzzParseConnectionString(f *testing.F) {
	f.Add("DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=a2V5;EndpointSuffix=core.windows.net")
	f.Add("BlobEndpoint=https://host;SharedAccessSignature=" + signature)
	f.Add("AccountName=acc;;=")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := parseConnectionString(text)
		if err == nil && (checkEndpoint(a.endpoint) != nil || (a.key == "") == (a.sas == "")) {
			t.Errorf("%q: neither an error nor a usable result", text)
		}
	})
}
