package doctest_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the module's directory.
const root = "../../.."

// page is a Markdown file.
type page struct {
	name   string // below the module: docs/runbook.md
	text   string
	blocks []block
}

// block is a fenced block, or a comment with hidden commands.
type block struct {
	language string // hidden for a comment
	text     string
	line     int // of its first line of text, from 1
}

const hidden = "hidden"

// readPage reads the page at name.
func readPage(t *testing.T, name string) page {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return page{name, string(b), parseBlocks(string(b))}
}

// pages reads README.md, CHANGELOG.md and all of docs.
func pages(t *testing.T) []page {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no pages in docs: %v", err)
	}
	all := []page{readPage(t, "README.md"), readPage(t, "CHANGELOG.md")}
	for _, f := range found {
		all = append(all, readPage(t, filepath.Join("docs", filepath.Base(f))))
	}
	return all
}

func parseBlocks(text string) []block {
	var all []block
	var open *block
	end := ""
	for i, line := range strings.Split(text, "\n") {
		switch {
		case open != nil && line == end:
			all = append(all, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		case strings.HasPrefix(line, "```"):
			open, end = &block{language: line[3:], line: i + 2}, "```"
		case line == "<!-- run":
			open, end = &block{language: hidden, line: i + 2}, "-->"
		}
	}
	return all
}

// prose is the page's text without its blocks.
func (p page) prose() string {
	fenced := regexp.MustCompile("(?ms)^```.*?^```$|^<!-- run$.*?^-->$")
	return fenced.ReplaceAllString(p.text, "")
}

// call is a command of a console block and what it is said to print.
type call struct {
	command, output string
	line            int
}

func (b block) calls() []call {
	var all []call
	for i, line := range strings.Split(strings.TrimSuffix(b.text, "\n"), "\n") {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			all = append(all, call{command: command, line: b.line + i})
		} else if len(all) > 0 {
			all[len(all)-1].output += line + "\n"
		}
	}
	return all
}

// matches reports whether a command printed what the page says.
func (c call) matches(got string) bool {
	var want strings.Builder
	for line := range strings.Lines(c.output) {
		if line == "…\n" {
			want.WriteString(`(.*\n)*`)
			continue
		}
		want.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*"))
	}
	return regexp.MustCompile(`\A` + want.String() + `\z`).MatchString(got)
}

func TestParseBlocks(t *testing.T) {
	const text = "# Title\n\n```sh\na\nb\n```\n\n<!-- run\nc\n-->\n```console\n$ d\nout …\n…\n$ e\n```\n"
	got := parseBlocks(text)
	if len(got) != 3 || got[0] != (block{"sh", "a\nb\n", 4}) || got[1] != (block{hidden, "c\n", 9}) {
		t.Fatalf("got %+v", got)
	}
	calls := got[2].calls()
	if len(calls) != 2 || calls[0] != (call{"d", "out …\n…\n", 12}) || calls[1] != (call{"e", "", 15}) {
		t.Fatalf("got %+v", calls)
	}
	for out, want := range map[string]bool{"out 1\n": true, "out 1\nx\ny\n": true, "out\n": false, "other\n": false} {
		if got := calls[0].matches(out); got != want {
			t.Errorf("%q: got %v, want %v", out, got, want)
		}
	}
	if calls[1].matches("x\n") {
		t.Error("output where none is expected passes")
	}
}
