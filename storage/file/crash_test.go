package file

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"walarchive/storage"
)

// With these in its environment the test binary is a writer to be killed: it
// puts objects into the directory until the step. See TestMain.
const (
	crashDir  = "WALARCHIVE_TEST_CRASH_DIR"
	crashStep = "WALARCHIVE_TEST_CRASH_STEP"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		fmt.Fprintln(os.Stderr, writeUntil(dir, os.Getenv(crashStep)))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeUntil puts objects and prints their names, and is killed at step.
func writeUntil(dir, step string) error {
	b, err := New(dir)
	if err != nil {
		return err
	}
	b.step = func(at string) {
		if at == step {
			kill()
		}
	}
	for i := 0; ; i++ {
		body := io.ReadSeeker(bytes.NewReader(crashContent(i)))
		if step == "half" {
			body = &halfBody{body, len(crashContent(i)) / 2}
		}
		if err := b.Put(context.Background(), crashName(i), body); err != nil {
			return err
		}
		fmt.Println(crashName(i))
	}
}

func kill() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // until it arrives
}

// halfBody kills its reader when half of it is read.
type halfBody struct {
	io.ReadSeeker
	left int
}

func (b *halfBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		kill()
	}
	n, err := b.ReadSeeker.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

func crashName(i int) string    { return fmt.Sprintf("logs/%d/%d", i/3, i) }
func crashContent(i int) []byte { return bytes.Repeat(fmt.Appendf(nil, "content %d ", i), 100_000) }

// writer starts the test binary as a writer into dir.
func writer(t *testing.T, dir, step string) (*exec.Cmd, *bufio.Scanner, *bytes.Buffer) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashDir+"="+dir, crashStep+"="+step)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	return cmd, bufio.NewScanner(out), &stderr
}

// wantKilled waits for the end of a writer, by SIGKILL.
func wantKilled(t *testing.T, cmd *exec.Cmd, stderr *bytes.Buffer) {
	t.Helper()
	err := cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the writer ended with %v, want SIGKILL; it said: %s", err, stderr)
	}
}

func TestKilledAtEachStep(t *testing.T) {
	for _, c := range []struct {
		step string
		want error // of the same Put afterwards
	}{
		{"directories", nil},
		{"created", nil},
		{"half", nil},
		{"written", nil},
		{"synced", nil},
		{"linked", storage.ErrExist},
		{"cleared", storage.ErrExist},
	} {
		t.Run(c.step, func(t *testing.T) {
			b := open(t)
			cmd, _, stderr := writer(t, b.dir, c.step)
			wantKilled(t, cmd, stderr)

			name, content := crashName(0), crashContent(0)
			data, err := storage.ReadAll(t.Context(), b, name, 1<<30)
			switch {
			case c.want == nil && !errors.Is(err, storage.ErrNotExist):
				t.Errorf("after the kill: got %d bytes, error %v, want none", len(data), err)
			case c.want != nil && !bytes.Equal(data, content):
				t.Errorf("after the kill: got %d bytes, error %v, want all", len(data), err)
			}
			if err := b.Put(t.Context(), name, bytes.NewReader(content)); !errors.Is(err, c.want) {
				t.Errorf("put again: got %v, want %v", err, c.want)
			}
			if data, err := storage.ReadAll(t.Context(), b, name, 1<<30); !bytes.Equal(data, content) {
				t.Errorf("after putting again: got %d bytes, error %v, want all", len(data), err)
			}
			wantFiles(t, b, "logs/", "logs/0/", "logs/0/0")
		})
	}
}

// However far a writer came when it was killed: what it had reported is there,
// and everything that is there is whole.
func TestKilledAnywhere(t *testing.T) {
	for acknowledged := 1; acknowledged <= 5; acknowledged++ {
		b := open(t)
		cmd, lines, stderr := writer(t, b.dir, "")
		for i := range acknowledged {
			if !lines.Scan() || lines.Text() != crashName(i) {
				t.Fatalf("got line %q, %v; want %s", lines.Text(), lines.Err(), crashName(i))
			}
		}
		must(t, cmd.Process.Kill())
		wantKilled(t, cmd, stderr)
		there := 0
		for info, err := range b.List(t.Context(), "", "") {
			must(t, err)
			data, err := storage.ReadAll(t.Context(), b, info.Name, 1<<30)
			var i int
			if _, e := fmt.Sscan(info.Name[strings.LastIndexByte(info.Name, '/')+1:], &i); e != nil {
				t.Fatal(e)
			}
			if !bytes.Equal(data, crashContent(i)) {
				t.Errorf("%s: got %d bytes, error %v; want it whole", info.Name, len(data), err)
			}
			there++
		}
		if there < acknowledged {
			t.Errorf("%d objects are there, %d were acknowledged", there, acknowledged)
		}
	}
}
