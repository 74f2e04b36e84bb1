package file

import (
	"errors"
	"os"
	"testing"

	"walarchive/storage"
)

func newTemp(t *testing.T, dir string) *temp {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	tmp, err := createTemp(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tmp.remove(); root.Close() })
	if _, err := tmp.WriteString("ours"); err != nil {
		t.Fatal(err)
	}
	return tmp
}

// publish and rename keep the same promise, with and without hard links.
func TestPublish(t *testing.T) {
	for name, publish := range map[string]func(*temp, string) error{
		"link": (*temp).publish, "rename": (*temp).rename,
	} {
		for _, c := range []struct {
			name    string
			prepare func(root *os.Root, temp string) error
			want    error
			content string
		}{
			{"free", func(*os.Root, string) error { return nil }, nil, "ours"},
			{"taken", func(r *os.Root, _ string) error { return r.WriteFile("x", []byte("theirs"), 0o600) }, storage.ErrExist, "theirs"},
			{"taken by ourselves, as NFS may repeat a request", func(r *os.Root, temp string) error { return r.Link(temp, "x") }, nil, "ours"},
			{"a directory", func(r *os.Root, _ string) error { return r.Mkdir("x", 0o700) }, storage.ErrInvalid, ""},
		} {
			t.Run(name+"/"+c.name, func(t *testing.T) {
				tmp := newTemp(t, t.TempDir())
				if err := c.prepare(tmp.dir, tmp.name); err != nil {
					t.Fatal(err)
				}
				if err := publish(tmp, "x"); !errors.Is(err, c.want) {
					t.Errorf("got error %v, want %v", err, c.want)
				}
				if got, err := tmp.dir.ReadFile("x"); c.content != "" && string(got) != c.content {
					t.Errorf("got %q, %v; want %q", got, err, c.content)
				}
			})
		}
	}
}

func TestSweepBetweenCreateAndLock(t *testing.T) {
	tmp := newTemp(t, t.TempDir())
	again, err := tmp.dir.OpenFile(tmp.name, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	late := &temp{again, tmp.dir, tmp.name}
	if held, err := late.held(); held || err != nil {
		t.Errorf("a file that a sweep has locked: held %v, %v", held, err)
	}
	tmp.remove()
	if held, err := late.held(); held || err != nil {
		t.Errorf("a file that a sweep has removed: held %v, %v", held, err)
	}
}
