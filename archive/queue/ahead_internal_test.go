package queue

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestNextReady(t *testing.T) {
	dir := t.TempDir()
	for i := range 3000 {
		touch(t, dir, fmt.Sprintf("0000000100000000%08X.ready", 2999-i))
	}
	for _, name := range []string{"00000002.history.ready", "00000003.history.ready", "00000009.history.done", "0000000100000000FFFFFFFF.done", "odd"} {
		touch(t, dir, name)
	}
	got, err := nextReady(dir, 5)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"00000002.history", "00000003.history", "000000010000000000000000", "000000010000000000000001", "000000010000000000000002"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func touch(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}
