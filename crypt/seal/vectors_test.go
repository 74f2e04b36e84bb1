package seal

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"

	"walarchive/crypt"
)

// vector is one file of fixtures/seal/v1: an object of version 1, what went
// into it, and what must become of opening it. Released ones never change.
type vector struct {
	name   string
	About  string `json:"about"`
	Expect string `json:"expect"` // ok, corrupt, misplaced or version

	// What a reader asks for, and the key it finds.
	Kind    string   `json:"kind"`
	Name    string   `json:"name"`
	Archive crypt.ID `json:"archive"`
	SealKey string   `json:"seal_key"` // hexadecimal

	// What comes out. Of an object that is not ok, at most Released bytes.
	Facts    string   `json:"facts,omitempty"` // hexadecimal
	Plain    []filler `json:"plain,omitempty"` // one after the other
	Released int      `json:"released"`

	Sealed []byte `json:"sealed"`
}

// filler is a stretch of content: unit, repeated and cut to length bytes.
type filler struct {
	Unit   string `json:"unit"` // hexadecimal
	Length int    `json:"length"`
}

func fill(unit []byte, length int) filler { return filler{hex.EncodeToString(unit), length} }

func unhex(t testing.TB, digits string) []byte {
	t.Helper()
	p, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (v *vector) plain(t testing.TB) []byte {
	t.Helper()
	var p []byte
	for _, f := range v.Plain {
		unit := unhex(t, f.Unit)
		p = append(p, bytes.Repeat(unit, f.Length/len(unit)+1)[:f.Length]...)
	}
	return p
}

// open opens the vector's object as its fields say.
func (v *vector) open(t testing.TB) (r *Reader, plain []byte, err error) {
	t.Helper()
	key, err := crypt.NewKey(unhex(t, v.SealKey))
	if err != nil {
		t.Fatal(err)
	}
	r, err = Open(bytes.NewReader(v.Sealed), Expect{v.Kind, v.Name, v.Archive}, always(key))
	if err == nil {
		plain, err = io.ReadAll(r)
	}
	return r, plain, err
}

const vectorDir = "../../fixtures/seal/v1"

// readVectors reads all committed vectors.
func readVectors(t testing.TB) []vector {
	t.Helper()
	paths, err := filepath.Glob(vectorDir + "/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no vectors in %s: %v", vectorDir, err)
	}
	var vectors []vector
	for _, path := range paths {
		v := vector{name: filepath.Base(path)}
		text, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(text, &v)
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		vectors = append(vectors, v)
	}
	return vectors
}

// TestVectors opens what is committed.
func TestVectors(t *testing.T) {
	outcomes := map[string]error{"ok": nil, "corrupt": ErrCorrupt, "misplaced": ErrMisplaced, "version": ErrVersion}
	for _, v := range readVectors(t) {
		want, known := outcomes[v.Expect]
		if !known {
			t.Fatalf("%s: unknown outcome %q", v.name, v.Expect)
		}
		r, got, err := v.open(t)
		plain := v.plain(t)
		if !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", v.name, err, want)
			continue
		}
		if len(got) != v.Released || !bytes.HasPrefix(plain, got) {
			t.Errorf("%s: %d bytes came out, want the first %d", v.name, len(got), v.Released)
		}
		if want != nil {
			continue
		}
		if !bytes.Equal(r.Facts(), unhex(t, v.Facts)) || len(got) != len(plain) || r.Totals().Digest != crypt.DigestBytes(plain) {
			t.Errorf("%s: opened with facts %q and %d bytes", v.name, r.Facts(), len(got))
		}
	}
}

var writeVectors = flag.Bool("write-vectors", false, "write the vectors that have no file yet")

// TestVectorsAreWhatIsWritten makes all vectors again and compares the files,
// byte for byte: a writer that changed what it writes is noticed here.
func TestVectorsAreWhatIsWritten(t *testing.T) {
	made := map[string]bool{}
	for _, v := range makeVectors(t) {
		made[v.name] = true
		want, err := json.MarshalIndent(v, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, '\n')
		path := filepath.Join(vectorDir, v.name)
		if *writeVectors {
			create(t, path, want)
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what is made now (%v)", v.name, err)
		}
	}
	for _, v := range readVectors(t) {
		if !made[v.name] {
			t.Errorf("%s is not made any more", v.name)
		}
	}
}

// create writes a new file and leaves one that is there alone.
func create(t testing.TB, path string, content []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return
	}
	if err == nil {
		_, err = f.Write(content)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}
