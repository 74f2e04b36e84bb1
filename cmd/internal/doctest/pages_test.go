package doctest_test

import (
	"os"
	"path/filepath"
	"testing"

	"walarchive/cmd/internal/config"
)

// recorded lists the pages that need no server, with what lies on their machine.
func recorded() []struct{ page, scenario, state string } {
	return []struct{ page, scenario, state string }{
		{"docs/quickstart-pg_tde.md", "C-rotation", "4-after-second-restart"},
		{"docs/runbook.md", "A-plain", ""},
		{"docs/mirrors.md", "A-plain", ""},
		{"docs/patroni.md", "A-plain", ""},
		{"docs/kubernetes.md", "A-plain", ""},
		{"docs/security.md", "A-plain", ""},
		{"docs/keys-archive.md", "A-plain", ""},
	}
}

// live is the page that needs one.
const live = "docs/quickstart-plain.md"

// TestPages runs the pages that need no server.
func TestPages(t *testing.T) {
	for _, p := range recorded() {
		t.Run(p.page, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t, t.TempDir())
			s.record(p.scenario, p.state)
			s.run(readPage(t, p.page))
		})
	}
}

// TestAllPagesRun: a page with commands that no test runs would go stale.
func TestAllPagesRun(t *testing.T) {
	run := map[string]bool{live: true}
	for _, p := range recorded() {
		run[p.page] = true
	}
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			if runs := b.language == "sh" || b.language == "console" || b.language == hidden; runs && !run[p.name] {
				t.Errorf("%s:%d: no test runs this block", p.name, b.line)
			}
		}
	}
}

// TestConfigurations: what is shown as configuration has no mistakes.
func TestConfigurations(t *testing.T) {
	n := 0
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			if b.language != "toml" {
				continue
			}
			n++
			file := filepath.Join(t.TempDir(), "walarchive.toml")
			if err := os.WriteFile(file, []byte(b.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := config.Load(config.Sources{File: file}); err != nil {
				t.Errorf("%s:%d: %v", p.name, b.line, err)
			}
		}
	}
	if n == 0 {
		t.Error("no configuration is shown anywhere")
	}
}
