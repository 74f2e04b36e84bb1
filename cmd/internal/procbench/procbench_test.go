package procbench

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"walarchive/fixtures"
)

// without are the build tags that leave every SDK of a store out.
const without = "no_s3,no_gcs,no_azure"

// build makes the programs as they are shipped, with tags beside the usual.
func build(b testing.TB, tags ...string) string {
	b.Helper()
	dir := b.TempDir()
	tags = append(tags, "disable_grpc_modules", "urfave_cli_no_docs")
	cmd := exec.Command("go", "build", "-trimpath", "-tags", strings.Join(tags, ","), "-ldflags", "-s -w",
		"-o", dir, "walarchive/cmd/walarchive", "walarchive/cmd/walrestore")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// server is a recorded server with one segment of 16 MiB, and its archive.
type server struct {
	bin, config, store, pgdata string
	path                       string // of the segment in pg_wal
}

const configuration = `[cluster]
name = "bench"
pgdata = %q
[storage]
url = "file://%s"
[keys]
provider = "local"
principal = "wal"
[keys.providers.local]
type = "file"
path = %q
[tde]
map = { %q = %q }
`

// newServer makes a server and its archive; without encrypted its WAL is
// plaintext. The recorded WAL is unpacked by another process: what this one
// has ever held in memory would count as held by the programs it starts.
func newServer(b testing.TB, encrypted bool) *server {
	b.Helper()
	dir := b.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), layoutIn+"="+dir, "ENCRYPTED="+strconv.FormatBool(encrypted))
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("lay out the server: %v\n%s", err, out)
	}
	s := &server{bin: build(b), config: filepath.Join(dir, "walarchive.toml"), store: filepath.Join(dir, "store"), pgdata: filepath.Join(dir, "pgdata")}
	s.path = filepath.Join(s.pgdata, "pg_wal", segment)
	s.run(b, "walarchive", "init", "--create-key")
	return s
}

// The recorded segment that is measured, 16 MiB.
const (
	scenario = "H-16MB"
	segment  = "000000010000000000000003"
	size     = 16 << 20
)

const layoutIn = "PROCBENCH_LAYOUT"

func TestMain(m *testing.M) {
	dir := os.Getenv(layoutIn)
	if dir == "" {
		os.Exit(m.Run())
	}
	if err := layout(dir, os.Getenv("ENCRYPTED") == "true"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func layout(dir string, encrypted bool) error {
	sc, err := fixtures.Open(scenario)
	if err != nil {
		return err
	}
	host, err := sc.Unpack(dir)
	if err != nil {
		return err
	}
	if encrypted {
		err = host.SetKeys("final")
		if err == nil {
			_, err = host.PutSegment(sc.Segments[0])
		}
	} else {
		var plain []byte
		if plain, err = sc.Segments[0].Plain(); err == nil {
			err = os.WriteFile(filepath.Join(host.PGData, "pg_wal", segment), plain, 0o600)
		}
	}
	if err != nil {
		return err
	}
	store := filepath.Join(dir, "store")
	text := fmt.Sprintf(configuration, host.PGData, store, filepath.Join(dir, "keyring"), fixtures.KeyringDir, host.Keyrings)
	return errors.Join(os.Mkdir(store, 0o700), os.WriteFile(filepath.Join(dir, "walarchive.toml"), []byte(text), 0o600))
}

// run runs a program to its end and returns its greatest resident size, bytes.
func (s *server) run(b testing.TB, program string, args ...string) int64 {
	b.Helper()
	cmd := exec.Command(filepath.Join(s.bin, program), append([]string{"--config", s.config}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.Fatalf("%s %v: %v\n%s", program, args, err, out)
	}
	return cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
}

// forget removes the stored segment, so that the next push stores it again.
func (s *server) forget(b testing.TB) {
	objects, err := filepath.Glob(filepath.Join(s.store, "bench/wal/*/*/*", segment))
	check(b, err)
	for _, o := range objects {
		check(b, os.Remove(o))
	}
}

func check(b testing.TB, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func BenchmarkPush(b *testing.B) {
	for _, encrypted := range []bool{false, true} {
		b.Run(kind(encrypted), func(b *testing.B) {
			s := newServer(b, encrypted)
			b.SetBytes(size)
			var rss int64
			for b.Loop() {
				b.StopTimer()
				s.forget(b)
				b.StartTimer()
				rss = max(rss, s.run(b, "walarchive", "push", s.path))
			}
			b.ReportMetric(float64(rss)/(1<<20), "maxRSS-MiB")
		})
	}
}

func BenchmarkPushAgain(b *testing.B) {
	s := newServer(b, false)
	s.run(b, "walarchive", "push", s.path)
	for b.Loop() {
		s.run(b, "walarchive", "push", s.path)
	}
}

func BenchmarkGet(b *testing.B) {
	for _, encrypted := range []bool{false, true} {
		b.Run(kind(encrypted), func(b *testing.B) {
			s := newServer(b, encrypted)
			s.run(b, "walarchive", "push", s.path)
			b.SetBytes(size)
			dest := filepath.Join(s.pgdata, "pg_wal", "RECOVERYXLOG")
			var rss int64
			for b.Loop() {
				rss = max(rss, s.run(b, "walrestore", "get", segment, dest))
			}
			b.ReportMetric(float64(rss)/(1<<20), "maxRSS-MiB")
		})
	}
}

func kind(encrypted bool) string {
	if encrypted {
		return "pg_tde"
	}
	return "plain"
}

// BenchmarkCopy is the floor: cp, then fsync of file and directory.
func BenchmarkCopy(b *testing.B) {
	s := newServer(b, false)
	dest := filepath.Join(s.store, "copy")
	b.SetBytes(size)
	for b.Loop() {
		b.StopTimer()
		_ = os.Remove(dest) // the first time there is none
		b.StartTimer()
		check(b, exec.Command("cp", s.path, dest).Run())
		check(b, exec.Command("sync", dest, s.store).Run())
	}
}

// BenchmarkVersion is what a process costs that does nothing, with and without
// the SDKs of stores in it.
func BenchmarkVersion(b *testing.B) {
	for name, tags := range map[string][]string{"all": nil, "without SDKs": {without}} {
		b.Run(name, func(b *testing.B) {
			bin := build(b, tags...)
			for b.Loop() {
				cmd := exec.Command(filepath.Join(bin, "walarchive"), "version")
				cmd.Stdout = io.Discard
				check(b, cmd.Run())
			}
		})
	}
}

func BenchmarkTrue(b *testing.B) {
	for b.Loop() {
		check(b, exec.Command("true").Run())
	}
}
