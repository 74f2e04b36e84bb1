package pgtest

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"

	"walarchive/cmd/internal/teststores"
)

// Config is what a test sets of walarchive.toml.
type Config struct {
	Store       teststores.Store
	Keyring     string // file
	Principal   string
	Spool       string // directory
	PushTimeout string // push.timeout
	RetryFor    string // restore.retry_for
}

// Settings of a store stand at the top, before any section.
var configFile = template.Must(template.New("walarchive.toml").Parse(`{{range $key, $value := .Store.Settings}}{{$key}} = {{printf "%#v" $value}}
{{end}}
[cluster]
name = "main"

[keys]
provider = "local"
principal = "{{.Principal}}"

[keys.providers.local]
type = "file"
path = "{{.Keyring}}"

[push]
timeout = "{{.PushTimeout}}"

[restore]
retry_for = "{{.RetryFor}}"

[spool]
path = "{{.Spool}}"
`))

// Archive is an archive as a DBA sets it up.
type Archive struct {
	Tools
	Config
	File string // walarchive.toml

	t testing.TB
}

// NewArchive makes an archive in a directory of its own, which Init then opens
// for a cluster.
func NewArchive(t testing.TB, tools Tools) *Archive {
	t.Helper()
	return NewArchiveIn(t, tools, teststores.Directory(ownDir(t, "store")))
}

// NewArchiveIn makes an archive in a store that is empty.
func NewArchiveIn(t testing.TB, tools Tools, store teststores.Store) *Archive {
	t.Helper()
	a := &Archive{Tools: tools, t: t}
	return a.With(Config{
		Store:       readable(t, store),
		Keyring:     filepath.Join(Scratch(t), "keyring"),
		Principal:   "wal-2026",
		Spool:       ownDir(t, "spool"),
		PushTimeout: "1m",
		RetryFor:    "15m",
	})
}

// ownDir makes a directory that only the server's account can read.
func ownDir(t testing.TB, name string) string {
	t.Helper()
	dir := filepath.Join(Scratch(t), name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	Own(t, dir)
	return dir
}

// readable is store with copies of the files it names that the server's
// account can read.
func readable(t testing.TB, store teststores.Store) teststores.Store {
	t.Helper()
	dir := Scratch(t)
	return store.WithFiles(func(path string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		copied := filepath.Join(dir, filepath.Base(path))
		WriteFile(t, copied, string(text))
		return copied
	})
}

// With is the same archive seen through another configuration.
func (a *Archive) With(c Config) *Archive {
	a.t.Helper()
	var text strings.Builder
	if err := configFile.Execute(&text, c); err != nil {
		a.t.Fatal(err)
	}
	b := *a
	b.Config, b.File = c, filepath.Join(Scratch(a.t), "walarchive.toml")
	WriteFile(a.t, b.File, text.String())
	return &b
}

// Impatient is the same archive with restore.retry_for at two seconds,
// push.timeout at three, and one for the store to answer.
func (a *Archive) Impatient() *Archive {
	a.t.Helper()
	c := a.Config
	c.PushTimeout, c.RetryFor = "3s", "2s"
	c.Store = c.Store.With("storage.connect_timeout", "1s")
	return a.With(c)
}

// At is the same archive on a host that reaches the store's server at another
// address, that of base, a URL.
func (a *Archive) At(base string) *Archive {
	a.t.Helper()
	c := a.Config
	c.Store, c.Spool = c.Store.At(a.t, base), ownDir(a.t, "spool")
	return a.With(c)
}

// Init opens the archive for the cluster of s.
func (a *Archive) Init(s *Server) {
	a.t.Helper()
	call := a.call(a.Walarchive, "init", "--create-key")
	MustRun(a.t, s.Data, call[0], call[1:]...)
}

// Do runs walarchive as the server's account, outside any data directory.
func (a *Archive) Do(args ...string) Result { a.t.Helper(); return a.Begin(args...)() }

// Begin is Do that does not wait; the function it returns does.
func (a *Archive) Begin(args ...string) (wait func() Result) {
	a.t.Helper()
	call := a.call(a.Walarchive, args...)
	return Begin(a.t, "/", call[0], call[1:]...)
}

// Kill is Do that ends with SIGKILL unless it has ended by itself before.
func (a *Archive) Kill(after time.Duration, args ...string) Result {
	a.t.Helper()
	call := a.call(a.Walarchive, args...)
	return Kill(a.t, after, "/", call[0], call[1:]...)
}

// MustDo is Do for a command that has to succeed; it returns its output.
func (a *Archive) MustDo(args ...string) string {
	a.t.Helper()
	call := a.call(a.Walarchive, args...)
	return MustRun(a.t, "/", call[0], call[1:]...)
}

// Get runs walrestore get for a server's data directory: by absolute path,
// without a shell, from another directory, as Patroni and pg_rewind do.
func (a *Archive) Get(s *Server, name string) Result { a.t.Helper(); return a.BeginGet(s, name)() }

// BeginGet is Get that does not wait; the function it returns does.
func (a *Archive) BeginGet(s *Server, name string) (wait func() Result) {
	a.t.Helper()
	call := a.call(a.Walrestore, "get", name, s.Segment(name))
	return Begin(a.t, "/", call[0], call[1:]...)
}

// PushCommand is the archive_command.
func (a *Archive) PushCommand() string {
	return strings.Join(a.call(a.Walarchive, "push", "%p"), " ")
}

// GetCommand is the restore_command, with further options of get.
func (a *Archive) GetCommand(options ...string) string {
	args := append([]string{"get"}, options...)
	return strings.Join(a.call(a.Walrestore, append(args, "%f", `"%p"`)...), " ")
}

// call is how one of our programs is called. What the store wants in its
// environment comes by env, which then is the program.
func (a *Archive) call(program string, args ...string) (words []string) {
	if environ := a.Store.Environ; len(environ) > 0 {
		words = append(words, "/usr/bin/env")
		for _, name := range slices.Sorted(maps.Keys(environ)) {
			words = append(words, name+"="+environ[name])
		}
	}
	return append(append(words, program, "--config", a.File), args...)
}

// ArchiveFrom lets s archive here from its next start on.
func (a *Archive) ArchiveFrom(s *Server) {
	a.t.Helper()
	s.Set("archive_mode", "on")
	s.Set("archive_command", a.PushCommand())
}
