package clitest

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"walarchive/crypt"
	"walarchive/crypt/seal"
	"walarchive/fixtures"
)

// secrets are what no program may print, whatever it does: by what they are,
// so that a failure does not print them either.
type secrets struct {
	mu    sync.Mutex
	forms map[string]string // a form in which it could be printed, to what it is
	keys  map[string][]byte // principal keys by name
}

// shortest is the length from which on a text is a secret and no chance, in
// bytes.
const shortest = 8

// addText adds a token or password.
func (s *secrets) addText(what, text string) {
	if len(text) < shortest {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forms[text] = what
	s.addForms(what, []byte(text))
}

// addKey adds key bytes. The first twelve are enough: printed in part, a key is
// known too well as well.
func (s *secrets) addKey(what string, key []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forms[string(key[:12])] = what + ", as it is"
	s.addForms(what, key[:12])
}

// addForms adds what verbs and encoders make of bytes, as far as what comes
// behind does not change it.
func (s *secrets) addForms(what string, b []byte) {
	whole := b[:len(b)-len(b)%3]
	for form, text := range map[string]string{
		"hexadecimal":  hex.EncodeToString(b),
		"%X":           strings.ToUpper(hex.EncodeToString(b)),
		"% x":          fmt.Sprintf("% x", b),
		"%v":           strings.Trim(fmt.Sprint(b), "[]"),
		"%#v":          strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", b), "[]byte{"), "}"),
		"%q":           strings.Trim(strconv.Quote(string(b)), `"`),
		"base64":       base64.StdEncoding.EncodeToString(whole),
		"base64 (URL)": base64.URLEncoding.EncodeToString(whole),
	} {
		s.forms[text] = what + ", " + form
	}
}

// found says which secrets are in what was printed.
func (s *secrets) found(printed string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for form, what := range s.forms {
		if strings.Contains(printed, form) {
			all = append(all, what)
		}
	}
	slices.Sort(all)
	return all
}

// newSecrets knows the principal keys of all recorded servers.
func newSecrets() *secrets {
	s := &secrets{forms: map[string]string{}, keys: map[string][]byte{}}
	scenarios, err := fixtures.Scenarios()
	if err != nil {
		panic(err)
	}
	for _, scenario := range scenarios {
		states, err := scenario.States()
		if err != nil {
			panic(err)
		}
		for _, state := range states {
			files, err := scenario.StateFS(state)
			if err != nil {
				panic(err)
			}
			s.collect(files)
		}
	}
	return s
}

// collect adds what is secret in the files of a directory, and the epoch keys
// of the objects in it that its principal keys open.
func (s *secrets) collect(files fs.FS) {
	var objects [][]byte
	_ = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil // gone meanwhile
		}
		b, err := fs.ReadFile(files, name)
		switch {
		case err != nil:
		case bytes.HasPrefix(b, []byte("WALSEAL")):
			objects = append(objects, b)
		case len(b) < 64<<10:
			s.addFile(filepath.Base(name), b)
		}
		return nil
	})
	for _, b := range objects {
		s.addEpochs(b)
	}
}

// planted are words that scripts use for secrets.
var planted = regexp.MustCompile(`planted-?\w+|AGE-SECRET-KEY-1\w+`)

func (s *secrets) addFile(name string, b []byte) {
	s.addKeyring(b)
	for _, word := range planted.FindAllString(string(b), -1) {
		s.addText("a planted secret in "+name, word)
	}
	if strings.Contains(name, "token") || strings.Contains(name, "secret") || strings.Contains(name, "password") {
		s.addText("the content of "+name, strings.TrimSpace(string(b)))
	}
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			// What comes first is the same in all of them.
			s.addText("the private key in "+name, base64.StdEncoding.EncodeToString(block.Bytes[len(block.Bytes)/2/3*3:]))
		}
	}
}

// addKeyring adds the keys of a keyring file, if it is one; package keys/file
// has the form.
func (s *secrets) addKeyring(b []byte) {
	const record = 292
	for ; len(b) >= record; b = b[record:] {
		name, _, ok := strings.Cut(string(b[:256]), "\x00")
		n := int(b[288])
		if !ok || !crypt.ValidName(name) || n != 16 && n != 32 || !bytes.Equal(b[289:292], []byte{0, 0, 0}) {
			return
		}
		s.keys[name] = bytes.Clone(b[256 : 256+n])
		s.addKey("principal key "+name, s.keys[name])
	}
}

// addEpochs adds the epoch key of an object, and the keys made of it.
func (s *secrets) addEpochs(object []byte) {
	h, err := seal.ReadHeader(bytes.NewReader(object))
	if err != nil {
		return
	}
	for _, w := range h.Wraps {
		b, ok := s.keys[w.Key]
		if !ok {
			continue
		}
		principal, err := crypt.NewKey(b)
		if err != nil {
			continue
		}
		if key, err := crypt.UnwrapKey(principal, w, h.Archive, h.Epoch); err == nil {
			s.addKey("an epoch key", key.Bytes())
			s.addKey("an epoch's seal key", key.Derive(nil, "walarchive 1 epoch seal").Bytes())
			s.addKey("an epoch's chain key", key.Derive(nil, "walarchive 1 epoch chain").Bytes())
		}
	}
}

// watched is a test that fails when a program has printed a secret. The scripts'
// log has everything that programs print, also when they panic.
type watched struct {
	*testing.T
	secrets *secrets
}

// Verbose keeps the log of what succeeded.
func (watched) Verbose() bool { return true }

func (w watched) Run(name string, f func(testscript.T)) {
	w.T.Run(name, func(t *testing.T) { f(watched{t, w.secrets}) })
}

// commands are the lines of a log that scripts, not programs, have made: the
// environment, which comes first, comments and commands.
var commands = regexp.MustCompile(`(?m)^([>#] |[A-Z][A-Z0-9_]*=).*$`)

func (w watched) Log(args ...any) {
	w.Helper()
	log := fmt.Sprint(args...)
	for _, what := range w.secrets.found(commands.ReplaceAllString(log, "")) {
		w.Errorf("printed: %s", what)
	}
	w.T.Log(log)
}

// watch makes the secrets that lie below a script's directory known, those that
// the script begins with and those that it ends with, and those in its
// environment.
func (s *secrets) watch(e *testscript.Env) {
	for _, v := range e.Vars {
		name, value, _ := strings.Cut(v, "=")
		if strings.Contains(name, "SECRET") || strings.Contains(name, "PASSWORD") || strings.HasSuffix(name, "TOKEN") {
			s.addText("$"+name, value)
		}
	}
	s.collect(os.DirFS(e.WorkDir))
	e.Defer(func() { s.collect(os.DirFS(e.WorkDir)) })
}

// What is looked for is found, in every form, and nothing else is.
func TestSecretsAreFound(t *testing.T) {
	s := newSecrets()
	key := []byte{250, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255}
	s.addKey("the key", key)
	s.addText("the token", "hvs.planted")
	s.addFile("notes", []byte("a planted-word and more"))
	for form, printed := range map[string]string{
		"hexadecimal":    fmt.Sprintf("key=%x", key),
		"upper case":     fmt.Sprintf("key=%X", key),
		"with spaces":    fmt.Sprintf("key=% x", key),
		"as a list":      fmt.Sprintf("key=%v", key),
		"as Go":          fmt.Sprintf("key=%#v", key),
		"quoted":         fmt.Sprintf("key=%q", key),
		"base64":         base64.StdEncoding.EncodeToString(key),
		"base64, no pad": base64.RawURLEncoding.EncodeToString(key),
		"as it is":       "key=" + string(key),
		"in part":        fmt.Sprintf("key=%x...", key[:12]),
		"text":           "token hvs.planted was refused",
		"text in base64": base64.StdEncoding.EncodeToString([]byte("hvs.planted")),
		"planted":        "no such option: planted-word",
	} {
		if len(s.found(printed)) != 1 {
			t.Errorf("%s: found %q", form, s.found(printed))
		}
	}
	for _, harmless := range []string{"", "key-alpha-1", "planted", fmt.Sprintf("fingerprint %x", crypt.DigestBytes(key))} {
		if got := s.found(harmless); len(got) > 0 {
			t.Errorf("found %q in %q", got, harmless)
		}
	}
	if len(s.keys) < 10 {
		t.Errorf("only %d recorded principal keys are known", len(s.keys))
	}
}
