// Package teststores starts stores for tests of whole programs, and says how
// walarchive and walrestore are told of them: what clitest and pgtest have in
// common. The servers are those of storagetest/servers, which need the build
// tag integration.
package teststores

import (
	"fmt"
	"maps"
	"net/url"
	"strings"
	"testing"
)

// Store is a place for an archive. None of its values is a secret: credentials
// lie in files that they name.
type Store struct {
	Settings map[string]any    // by key, strings and bools; storage.url is one
	Environ  map[string]string // of the programs

	endpoint string // the setting with the server's address; empty: there is no server
}

// Directory is a store in a directory, a path.
func Directory(path string) Store {
	return Store{Settings: map[string]any{"storage.url": "file://" + path}}
}

// Directory is where a store lies that is in a directory.
func (s Store) Directory(t testing.TB) string {
	t.Helper()
	path, ok := strings.CutPrefix(s.Settings["storage.url"].(string), "file://")
	if !ok {
		t.Fatalf("%v is in no directory", s.Settings["storage.url"])
	}
	return path
}

// WithFiles is the store with move's paths in the place of those of the files
// it names.
func (s Store) WithFiles(move func(path string) string) Store {
	moved := func(name, path string) string {
		if strings.HasSuffix(strings.ToLower(name), "_file") {
			return move(path)
		}
		return path
	}
	settings, environ := map[string]any{}, map[string]string{}
	for key, value := range s.Settings {
		if text, ok := value.(string); ok {
			value = moved(key, text)
		}
		settings[key] = value
	}
	for name, value := range s.Environ {
		environ[name] = moved(name, value)
	}
	s.Settings, s.Environ = settings, environ
	return s
}

// Variables is all that the programs need in their environment if there is no
// configuration file.
func (s Store) Variables() map[string]string {
	all := map[string]string{}
	maps.Copy(all, s.Environ)
	for key, value := range s.Settings {
		all["WALARCHIVE_"+strings.ToUpper(strings.ReplaceAll(key, ".", "_"))] = fmt.Sprint(value)
	}
	return all
}

// Address is the host and port of the store's server.
func (s Store) Address(t testing.TB) string { t.Helper(); return s.url(t).Host }

// With is the same store with another setting.
func (s Store) With(key string, value any) Store {
	s.Settings = maps.Clone(s.Settings)
	s.Settings[key] = value
	return s
}

// At is the same store at another address: that of base, a URL.
func (s Store) At(t testing.TB, base string) Store {
	t.Helper()
	return s.With(s.endpoint, s.moved(t, base))
}

// Elsewhere is At as an argument of --set.
func (s Store) Elsewhere(t testing.TB, base string) string {
	t.Helper()
	return s.endpoint + "=" + s.moved(t, base)
}

// moved is the URL of the server with the scheme and the address of base.
func (s Store) moved(t testing.TB, base string) string {
	t.Helper()
	u, to := s.url(t), parse(t, base)
	u.Scheme, u.Host = to.Scheme, to.Host
	return u.String()
}

func (s Store) url(t testing.TB) *url.URL {
	t.Helper()
	endpoint, ok := s.Settings[s.endpoint].(string)
	if !ok {
		t.Fatalf("%v is on no server", s.Settings["storage.url"])
	}
	return parse(t, endpoint)
}

func parse(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
