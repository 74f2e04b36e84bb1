package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"walarchive/archive"
	"walarchive/keys"
	keyfile "walarchive/keys/file"
	"walarchive/storage"
	"walarchive/storage/file"
	"walarchive/storage/mirror"
)

// killer is a bucket that kills its own process, with SIGKILL, at a moment:
// moments are counted from 1, one before and one after each call, and one in
// the middle of each body put.
type killer struct {
	storage.Bucket
	at, now int
}

func (k *killer) moment() {
	if k.now++; k.now == k.at {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

func (k *killer) Put(ctx context.Context, name string, body io.ReadSeeker) error {
	k.moment()
	defer k.moment()
	return k.Bucket.Put(ctx, name, &fatalBody{ReadSeeker: body, killer: k})
}

func (k *killer) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	k.moment()
	defer k.moment()
	return k.Bucket.Get(ctx, name, off, n)
}

func (k *killer) Stat(ctx context.Context, name string) (storage.Info, error) {
	k.moment()
	defer k.moment()
	return k.Bucket.Stat(ctx, name)
}

func (k *killer) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	k.moment()
	defer k.moment()
	return k.Bucket.List(ctx, prefix, after)
}

func (k *killer) Delete(ctx context.Context, name string) error {
	k.moment()
	defer k.moment()
	return k.Bucket.Delete(ctx, name)
}

// fatalBody has its moment behind the first bytes that were read.
type fatalBody struct {
	io.ReadSeeker
	killer *killer
	past   bool
}

func (b *fatalBody) Read(p []byte) (int, error) {
	if b.past {
		return b.ReadSeeker.Read(p)
	}
	b.past = true
	n, err := b.ReadSeeker.Read(p[:min(len(p), 100)])
	defer b.killer.moment()
	return n, err
}

// What a process that is to be killed gets in its environment.
const (
	killAt   = "WALARCHIVE_TEST_KILL_AT"   // the moment
	killDo   = "WALARCHIVE_TEST_KILL_DO"   // what it does until then: push, repair, mirror (a push whose mirror kills), one of changes
	killWhat = "WALARCHIVE_TEST_KILL_WHAT" // the path of the segment
	killRoot = "WALARCHIVE_TEST_KILL_ROOT" // with the store and the keyring
)

// TestKilledProcess is the process that is killed; there is nothing to it
// otherwise.
func TestKilledProcess(t *testing.T) {
	do := os.Getenv(killDo)
	if do == "" {
		return
	}
	at, err := strconv.Atoi(os.Getenv(killAt))
	if err != nil {
		t.Fatal(err)
	}
	path := os.Getenv(killWhat)
	d, err := archive.FindDataDir("", path, "")
	if err != nil {
		t.Fatal(err)
	}
	store, ring := storeIn(t, os.Getenv(killRoot))
	var b storage.Bucket = &killer{Bucket: store, at: at}
	if do == "mirror" {
		b = mirrored(store, &killer{Bucket: mirrorIn(t, os.Getenv(killRoot)), at: at})
	}
	a := initArchive(t, b, ring, d, archive.Options{})
	if change := changes[do]; change != nil {
		if err := change(t, a); err != nil {
			t.Fatal(err)
		}
	}
	if do == "repair" {
		if _, err := a.Repair(t.Context(), filepath.Base(path)); err != nil {
			t.Fatal(err)
		}
	}
	mustPush(t, a, d, path)
}

// storeIn opens the store and the keyring below root.
func storeIn(t *testing.T, root string) (storage.Bucket, *keys.Ring) {
	t.Helper()
	b, err := file.New(filepath.Join(root, "store"))
	if err != nil {
		t.Fatal(err)
	}
	providers := map[string]keys.Provider{principal.Provider: keyfile.New(filepath.Join(root, "keyring"))}
	for _, g := range []string{"g1", "g2"} {
		providers[g] = keyfile.New(filepath.Join(root, g))
	}
	return b, keys.NewRing(providers)
}

// mirrorIn opens the mirror below root.
func mirrorIn(t *testing.T, root string) storage.Bucket {
	t.Helper()
	b, err := file.New(filepath.Join(root, "mirror"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mirrored(first, second storage.Bucket) storage.Bucket {
	return mirror.New([]mirror.Store{{Name: "first", Bucket: first}, {Name: "second", Bucket: second}}, mirror.Options{})
}

// newRoot makes an empty store and a keyring.
func newRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	mkdir(t, filepath.Join(root, "store"))
	mkdir(t, filepath.Join(root, "mirror"))
	if _, err := keyfile.New(filepath.Join(root, "keyring")).Create(t.Context(), principal.Key); err != nil {
		t.Fatal(err)
	}
	for _, g := range []string{"g1", "g2"} {
		if _, err := keyfile.New(filepath.Join(root, g)).Create(t.Context(), generation(g).Key); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// killedAt runs TestKilledProcess up to a moment, and reports whether it came
// so far.
func killedAt(t *testing.T, moment int, do, path, root string) bool {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledProcess$")
	cmd.Env = append(os.Environ(),
		fmt.Sprintf("%s=%d", killAt, moment), killDo+"="+do, killWhat+"="+path, killRoot+"="+root)
	out, err := cmd.CombinedOutput()
	if err == nil {
		return false
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("moment %d: %v\n%s", moment, err, out)
	}
	return true
}

// Killed at whatever step, a push leaves nothing that keeps the next one from
// success, and nothing half-written under a name.
func TestPushKilledAtAnyStep(t *testing.T) {
	h := newHost(t, small)
	path := h.full()
	object := strings.TrimSuffix(partial3, ".partial")
	moment := 1
	for ; ; moment++ {
		root := newRoot(t)
		if !killedAt(t, moment, "push", path, root) {
			break
		}
		b, ring := storeIn(t, root)
		a := initArchive(t, b, ring, h.dir, archive.Options{})
		mustPush(t, a, h.dir, path)
		wantContent(t, a, h.dir, filepath.Base(path), h.Segment(3))
		wantObjects(t, b, object)
	}
	if moment < 12 {
		t.Errorf("killed at %d moments only", moment-1)
	}
}

// Killed at whatever step between the first store and its mirror, the next push
// gives to the mirror what the first has. What init left out Mirror copies.
func TestMirroredPushKilledAtAnyStep(t *testing.T) {
	h := newHost(t, small)
	path := h.full()
	moment := 1
	for ; ; moment++ {
		root := newRoot(t)
		if !killedAt(t, moment, "mirror", path, root) {
			break
		}
		first, ring := storeIn(t, root)
		second := mirrorIn(t, root)
		a := initArchive(t, mirrored(first, second), ring, h.dir, archive.Options{})
		mustPush(t, a, h.dir, path)
		object := strings.TrimSuffix(partial3, ".partial")
		if !bytes.Equal(sealed(t, first, object), sealed(t, second, object)) {
			t.Errorf("moment %d: the stores differ in %s", moment, object)
		}
		if _, err := a.Mirror(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		alone, err := archive.Open(t.Context(), second, ring, archive.Options{})
		if err != nil {
			t.Fatal(err)
		}
		wantContent(t, alone, h.dir, filepath.Base(path), h.Segment(3))
	}
	if moment < 6 {
		t.Errorf("killed at %d moments only", moment-1)
	}
}

// Killed at whatever step, a repair can be done again; the damaged bytes are
// never lost.
func TestRepairKilledAtAnyStep(t *testing.T) {
	moment := 1
	for ; ; moment++ {
		root := newRoot(t)
		b, ring := storeIn(t, root)
		h := newHost(t, small)
		a, path, object := damagedArchive(t, b, ring, h)
		broken := string(sealed(t, b, object))
		if !killedAt(t, moment, "repair", path, root) {
			break
		}
		if string(sealedOrNone(b, object)) == broken {
			if _, err := a.Repair(t.Context(), object); err != nil {
				t.Fatalf("moment %d: %v", moment, err)
			}
		}
		if got := string(sealed(t, b, "damaged/"+object+".1")); got != broken {
			t.Errorf("moment %d: the damaged bytes are lost", moment)
		}
		mustPush(t, a, h.dir, path)
		wantContent(t, a, h.dir, filepath.Base(path), h.Segment(3))
	}
	if moment < 12 {
		t.Errorf("killed at %d moments only", moment-1)
	}
}

// Killed at whatever step, a change of keys leaves an archive that works, and
// can be done again.
func TestKeyChangesKilledAtAnyStep(t *testing.T) {
	for do, change := range changes {
		t.Run(do, func(t *testing.T) {
			moment := 1
			for ; ; moment++ {
				root := newRoot(t)
				b, ring := storeIn(t, root)
				h := newHost(t, small)
				if _, err := archive.Init(t.Context(), b, ring, generation("g1"), h.dir, false, archive.Options{}); err != nil {
					t.Fatal(err)
				}
				path := h.full()
				if !killedAt(t, moment, do, path, root) {
					break
				}
				a := initArchive(t, b, ring, h.dir, archive.Options{})
				mustPush(t, a, h.dir, path)
				if err := change(t, a); err != nil {
					t.Fatalf("moment %d: %v", moment, err)
				}
				wantContent(t, a, h.dir, filepath.Base(path), h.Segment(3))
			}
			if moment < 12 {
				t.Errorf("killed at %d moments only", moment-1)
			}
		})
	}
}

// sealedOrNone is a stored object, or nothing if it is not there.
func sealedOrNone(b storage.Bucket, name string) []byte {
	p, err := storage.ReadAll(context.Background(), b, name, 1<<30)
	if err != nil {
		return nil
	}
	return p
}
