//go:build integration

package peerbench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"walarchive/cmd/internal/pgtest"
	"walarchive/storage/storagetest/servers"
)

// place is where a system is to keep its archive, and what it may use.
type place struct {
	dir string // the system's own
	s3  *s3    // nil: in dir
}

// s3 is an S3 server over TLS, reachable for the server's account.
type s3 struct {
	*servers.S3
	ca string // PEM file
}

func newS3(b *testing.B) *s3 {
	b.Helper()
	certificates := servers.NewCertificates(b)
	server := servers.StartVersityGW(b, &certificates)
	ca, err := os.ReadFile(server.CA)
	check(b, err)
	file := filepath.Join(pgtest.Scratch(b), "ca.pem")
	pgtest.WriteFile(b, file, string(ca))
	return &s3{server, file}
}

// address is the server's host and port.
func (s *s3) address() (host, port string) {
	host, port, _ = strings.Cut(strings.TrimPrefix(s.Endpoint, "https://"), ":")
	return host, port
}

// setup is a system that is ready to archive the WAL of a data directory.
type setup struct {
	push, restore string // commands
	daemon        []string
	socket        string
	environ       []string
}

// system is an archiver.
type system struct {
	name string
	// open makes an archive at p for the cluster of data, which push will
	// archive; restore is going to bring it back to target.
	open func(b *testing.B, p place, data, target string) setup
	tde  bool // of a cluster with pg_tde
}

// The systems that others are compared with.
const (
	reference = "pgbackrest async"
	plain     = "walarchive agent"
	withTDE   = "walarchive agent, pg_tde"
)

// systems lists those that are measured.
func systems(b *testing.B) []system {
	b.Helper()
	tools := buildOurs(b)
	all := []system{
		{name: reference, open: openPgBackRest},
		{name: "walarchive", open: tools.open},
		{name: plain, open: tools.openWithAgent},
		{name: withTDE, open: tools.openWithAgent, tde: true},
	}
	if _, err := exec.LookPath("wal-g"); err == nil {
		all = append(all, system{name: "wal-g", open: openWALG})
	}
	return all
}

func environ() []string {
	return []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "HOME=/nonexistent"}
}

const pgBackRestConf = `[global]
log-level-console=warn
log-level-file=off
lock-path=%[1]s/lock
spool-path=%[1]s/spool
archive-async=y
process-max=2
compress-type=lz4
repo1-cipher-type=aes-256-cbc
repo1-cipher-pass=%[2]s
%[3]s
[bench]
pg1-path=%[4]s
`

// openPgBackRest sets pgBackRest up as it is measured elsewhere: lz4,
// aes-256-cbc, asynchronous with two processes; all else by default. Its 2.45
// finds no IP address in a certificate, so it is spared looking.
func openPgBackRest(b *testing.B, p place, data, target string) setup {
	b.Helper()
	if _, err := exec.LookPath("pgbackrest"); err != nil {
		b.Fatalf("%v: apt-get install pgbackrest", err)
	}
	repo := fmt.Sprintf("repo1-path=%s/repo", p.dir)
	if p.s3 != nil {
		host, port := p.s3.address()
		repo = fmt.Sprintf("repo1-type=s3\nrepo1-path=/repo\nrepo1-s3-bucket=%s\nrepo1-s3-endpoint=%s\nrepo1-storage-port=%s\n"+
			"repo1-s3-region=us-east-1\nrepo1-s3-uri-style=path\nrepo1-storage-verify-tls=n\nrepo1-s3-key=%s\nrepo1-s3-key-secret=%s\n",
			p.s3.NewBucket(b), host, port, p.s3.AccessKey, p.s3.Secret)
	}
	for _, dir := range []string{"lock", "spool", "repo"} {
		pgtest.MustRun(b, "/", "mkdir", filepath.Join(p.dir, dir))
	}
	conf := func(name, data string) string {
		file := filepath.Join(p.dir, name)
		pgtest.WriteFile(b, file, fmt.Sprintf(pgBackRestConf, p.dir, "correct horse battery staple", repo, data))
		return "pgbackrest --config=" + file + " --stanza=bench "
	}
	push := conf("push.conf", data)
	pgtest.MustRun(b, "/", "/bin/sh", "-c", push+"--no-online stanza-create")
	return setup{
		push:    push + "archive-push %p",
		restore: conf("restore.conf", target) + `archive-get %f "%p"`,
		environ: environ(),
	}
}

// openWALG sets WAL-G up with its daemon: lz4, libsodium.
func openWALG(b *testing.B, p place, data, target string) setup {
	b.Helper()
	socket := filepath.Join(p.dir, "wal-g.sock")
	e := append(environ(),
		"PGDATA="+data, "WALG_COMPRESSION_METHOD=lz4", "WALG_LIBSODIUM_KEY="+strings.Repeat("0a", 32),
		"WALG_LIBSODIUM_KEY_TRANSFORM=hex", "WALG_UPLOAD_CONCURRENCY=2", "WALG_DOWNLOAD_CONCURRENCY=2")
	if p.s3 == nil {
		repo := filepath.Join(p.dir, "repo")
		pgtest.MustRun(b, "/", "mkdir", repo)
		e = append(e, "WALG_FILE_PREFIX="+repo)
	} else {
		e = append(e, "WALG_S3_PREFIX=s3://"+p.s3.NewBucket(b)+"/repo", "AWS_ENDPOINT="+p.s3.Endpoint, "AWS_S3_FORCE_PATH_STYLE=true",
			"AWS_REGION=us-east-1", "WALG_S3_CA_CERT_FILE="+p.s3.ca, "AWS_ACCESS_KEY_ID="+p.s3.AccessKey, "AWS_SECRET_ACCESS_KEY="+p.s3.Secret)
	}
	s := setup{push: "wal-g wal-push %p", restore: `wal-g wal-fetch %f "%p"`, environ: e}
	if _, err := exec.LookPath("walg-daemon-client"); err == nil {
		s.daemon, s.socket = []string{"wal-g", "daemon", socket}, socket
		s.push = "walg-daemon-client " + socket + " wal-push %f"
		s.restore = "walg-daemon-client " + socket + ` wal-fetch %f "%p"`
	}
	return s
}

// ours are our programs as they are released.
type ours struct{ bin string }

func buildOurs(b *testing.B) ours {
	b.Helper()
	dir := pgtest.Scratch(b)
	cmd := exec.Command("go", "build", "-trimpath", "-tags", "disable_grpc_modules,urfave_cli_no_docs", "-ldflags", "-s -w",
		"-o", dir, "walarchive/cmd/walarchive", "walarchive/cmd/walrestore")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return ours{dir}
}

const configuration = `[cluster]
name = "bench"
[storage]
url = %q
%s
[keys]
provider = "local"
principal = "wal"
[keys.providers.local]
type = "file"
path = %q
[spool]
path = %q
[agent]
socket = %q
`

// open sets walarchive up in its default configuration.
func (o ours) open(b *testing.B, p place, data, target string) setup {
	b.Helper()
	e := environ()
	url, s3 := "file://"+filepath.Join(p.dir, "store"), ""
	if p.s3 == nil {
		pgtest.MustRun(b, "/", "mkdir", filepath.Join(p.dir, "store"))
	} else {
		url = "s3://" + p.s3.NewBucket(b)
		s3 = fmt.Sprintf("[storage.s3]\nendpoint = %q\nca_file = %q\n", p.s3.Endpoint, p.s3.ca)
		for name, value := range p.s3.Environ() {
			e = append(e, name+"="+value)
		}
	}
	file := filepath.Join(p.dir, "walarchive.toml")
	pgtest.WriteFile(b, file, fmt.Sprintf(configuration, url, s3, filepath.Join(p.dir, "keyring"), filepath.Join(p.dir, "spool"), o.socket(p)))
	program := func(name string) string { return filepath.Join(o.bin, name) + " --config " + file }
	pgtest.MustRun(b, data, "/usr/bin/env", append(append([]string{}, e...), o.bin+"/walarchive", "--config", file, "init", "--create-key")...)
	return setup{
		push:    program("walarchive") + " push %p",
		restore: program("walrestore") + ` get %f "%p"`,
		environ: e,
	}
}

// openWithAgent is open with the agent running.
func (o ours) openWithAgent(b *testing.B, p place, data, target string) setup {
	b.Helper()
	s := o.open(b, p, data, target)
	s.daemon = []string{filepath.Join(o.bin, "walarchive"), "--config", filepath.Join(p.dir, "walarchive.toml"), "agent"}
	s.socket = o.socket(p)
	return s
}

func (ours) socket(p place) string { return filepath.Join(p.dir, "spool/agent") }
