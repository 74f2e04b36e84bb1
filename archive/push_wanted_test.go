package archive_test

import (
	"errors"
	"os"
	"testing"

	"walarchive/archive"
	"walarchive/storage/storagetest"
)

// What nobody wants any more when it has been read is not stored.
func TestPushIf(t *testing.T) {
	tests := []struct {
		name    string
		options archive.Options
		file    func(h *host) string
	}{
		{"segment", archive.Options{}, (*host).full},
		{"segment read twice", archive.Options{}.ReadTwice(), (*host).full},
		{"history", archive.Options{}, func(h *host) string {
			return h.put("00000002.history", []byte("1\t0/3000000\tno reason\n"))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t, small)
			b := storagetest.NewMemory()
			a := initArchive(t, b, newRing(t), h.dir, tt.options)
			path := tt.file(h)
			_, err := a.PushIf(t.Context(), h.dir, path, func(os.FileInfo) error { return errors.New("gone out of fashion") })
			wantRefusal(t, err, archive.ErrChanged, "gone out of fashion")
			wantObjects(t, b)

			var read os.FileInfo
			if _, err = a.PushIf(t.Context(), h.dir, path, func(f os.FileInfo) error { read = f; return nil }); err != nil {
				t.Fatal(err)
			}
			if now, err := os.Stat(path); err != nil || !os.SameFile(now, read) {
				t.Errorf("asked about another file than %s: %v", path, err)
			}
		})
	}
}
