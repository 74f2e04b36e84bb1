package doctest_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// messageTables are the heads of tables whose first column quotes messages.
var messageTables = regexp.MustCompile(`^\| the (log|line|message) says \|`)

// messages lists what such tables of a page quote, but for the messages of
// PostgreSQL itself.
func (p page) messages() []string {
	var all []string
	in := false
	for line := range strings.Lines(p.text) {
		in = messageTables.MatchString(line) || in && strings.HasPrefix(line, "|")
		if !in || strings.HasPrefix(line, "| PostgreSQL:") {
			continue
		}
		cell, _, _ := strings.Cut(line[1:], " | ")
		for _, m := range span.FindAllStringSubmatch(cell, -1) {
			all = append(all, m[1])
		}
	}
	return all
}

// source is all code of the programs.
func source(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		b.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestMessages: the messages by which an operator looks things up are those
// that the programs have.
func TestMessages(t *testing.T) {
	code := source(t)
	n := 0
	for _, p := range pages(t) {
		for _, m := range p.messages() {
			for _, part := range strings.Split(m, "…") {
				if part = strings.Trim(part, " :"); len(part) < 4 {
					continue
				}
				if n++; !strings.Contains(code, part) {
					t.Errorf("%s: no program says %q", p.name, part)
				}
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d messages found", n)
	}
}

// TestProblemKinds: the runbook says of every kind of problem what to do.
func TestProblemKinds(t *testing.T) {
	kinds := regexp.MustCompile(`\bProblemKind = "(\w+)"`).FindAllStringSubmatch(source(t), -1)
	if len(kinds) < 7 {
		t.Fatalf("only %d kinds found", len(kinds))
	}
	text := readPage(t, "docs/runbook.md").text
	for _, m := range kinds {
		if !strings.Contains(text, "\n| `"+m[1]+"` |") {
			t.Errorf("the runbook does not know the problem %q", m[1])
		}
	}
}
