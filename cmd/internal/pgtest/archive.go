package pgtest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
)

// Config is what a test sets of walarchive.toml.
type Config struct {
	Store     string // directory
	Keyring   string // file
	Principal string
	Spool     string // directory
	RetryFor  string // restore.retry_for
}

var configFile = template.Must(template.New("walarchive.toml").Parse(`[cluster]
name = "main"

[storage]
url = "file://{{.Store}}"

[keys]
provider = "local"
principal = "{{.Principal}}"

[keys.providers.local]
type = "file"
path = "{{.Keyring}}"

[restore]
retry_for = "{{.RetryFor}}"

[spool]
path = "{{.Spool}}"
`))

// Archive is an archive on a file store as a DBA sets it up.
type Archive struct {
	Tools
	Config
	File string // walarchive.toml

	t testing.TB
}

// NewArchive makes the directories and the configuration of an archive, which
// Init then opens for a cluster.
func NewArchive(t testing.TB, tools Tools) *Archive {
	t.Helper()
	dir := Scratch(t)
	a := &Archive{Tools: tools, t: t, Config: Config{
		Store:     filepath.Join(dir, "store"),
		Keyring:   filepath.Join(dir, "keyring"),
		Principal: "wal-2026",
		Spool:     filepath.Join(dir, "spool"),
		RetryFor:  "15m",
	}}
	for _, d := range []string{a.Store, a.Spool} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
		Own(t, d)
	}
	return a.With(a.Config)
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

// Copy is an archive of the same content in a store of its own, which belongs
// to another test.
func (a *Archive) Copy(t testing.TB) *Archive {
	t.Helper()
	b := *a
	b.t = t
	c := a.Config
	c.Store = filepath.Join(Scratch(t), "store")
	MustRun(t, "/", "cp", "-a", a.Store, c.Store)
	return b.With(c)
}

// Impatient is the same archive with restore.retry_for at two seconds.
func (a *Archive) Impatient() *Archive {
	a.t.Helper()
	c := a.Config
	c.RetryFor = "2s"
	return a.With(c)
}

// Init opens the archive for the cluster of s.
func (a *Archive) Init(s *Server) {
	a.t.Helper()
	MustRun(a.t, s.Data, a.Walarchive, "--config", a.File, "init", "--create-key")
}

// Do runs walarchive as the server's account, outside any data directory.
func (a *Archive) Do(args ...string) Result { a.t.Helper(); return a.Begin(args...)() }

// Begin is Do that does not wait; the function it returns does.
func (a *Archive) Begin(args ...string) (wait func() Result) {
	a.t.Helper()
	return Begin(a.t, "/", a.Walarchive, append([]string{"--config", a.File}, args...)...)
}

// MustDo is Do for a command that has to succeed; it returns its output.
func (a *Archive) MustDo(args ...string) string {
	a.t.Helper()
	return MustRun(a.t, "/", a.Walarchive, append([]string{"--config", a.File}, args...)...)
}

// Get runs walrestore get for a server's data directory: by absolute path,
// without a shell, from another directory, as Patroni and pg_rewind do.
func (a *Archive) Get(s *Server, name string) Result {
	a.t.Helper()
	return Run(a.t, "/", a.Walrestore, "--config", a.File, "get", name, s.Segment(name))
}

// PushCommand is the archive_command.
func (a *Archive) PushCommand() string { return a.Walarchive + " --config " + a.File + " push %p" }

// GetCommand is the restore_command, with further options of get.
func (a *Archive) GetCommand(options ...string) string {
	words := append([]string{a.Walrestore, "--config", a.File, "get"}, options...)
	return strings.Join(append(words, "%f", `"%p"`), " ")
}

// ArchiveFrom lets s archive here from its next start on.
func (a *Archive) ArchiveFrom(s *Server) {
	a.t.Helper()
	s.Set("archive_mode", "on")
	s.Set("archive_command", a.PushCommand())
}

// Objects lists the paths of the stored objects whose name begins with name,
// in the order of their paths.
func (a *Archive) Objects(name string) []string {
	a.t.Helper()
	var found []string
	err := filepath.WalkDir(a.Store, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // a temporary file that is gone again
			return nil
		case err == nil && !d.IsDir() && strings.HasPrefix(d.Name(), name):
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		a.t.Fatal(err)
	}
	return found
}

// Object is the path of the one stored object of that name.
func (a *Archive) Object(name string) string {
	a.t.Helper()
	for _, path := range a.Objects(name) {
		if filepath.Base(path) == name {
			return path
		}
	}
	a.t.Fatalf("%s is not in the archive", name)
	return ""
}

// KeyChain is the path of the key chain's first entry, which every command
// reads.
func (a *Archive) KeyChain() string {
	return filepath.Join(a.Store, "main/keys/00000001")
}

// MoveAway takes the store away, as if its file system were unmounted.
func (a *Archive) MoveAway() {
	a.t.Helper()
	if err := os.Rename(a.Store, a.Store+".away"); err != nil {
		a.t.Fatal(err)
	}
}
