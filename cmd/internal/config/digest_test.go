package config

import "testing"

// What decides what a call means is in the digest, whatever else is not.
func TestDigest(t *testing.T) {
	of := func(set ...string) string {
		c, err := Load(Sources{File: "/dev/null", Set: append([]string{
			"storage.url=file:///srv/wal", "keys.provider=local", "keys.providers.local.type=file", "keys.providers.local.path=/k",
		}, set...)})
		if err != nil {
			t.Fatal(err)
		}
		return c.Digest("1.0")
	}
	base := of()
	for _, set := range []string{
		"storage.url=file:///srv/other", "storage.s3.endpoint=https://s3", "cluster.name=other", "keys.principal=k2",
		"keys.providers.local.path=/other", "tde.mode=preserve", "archive.codec=none",
	} {
		if of(set) == base {
			t.Errorf("%s does not change the digest", set)
		}
	}
	for _, set := range []string{"cluster.pgdata=/x", "log.level=debug", "push.timeout=5s", "agent.workers=9", "restore.retry_for=1s"} {
		if of(set) != base {
			t.Errorf("%s changes the digest", set)
		}
	}
	if c := defaults(); c.Digest("1.0") == c.Digest("1.1") {
		t.Error("another version has the same digest")
	}
}
