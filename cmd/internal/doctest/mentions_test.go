package doctest_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"walarchive/cmd/internal/command"
	"walarchive/cmd/internal/walarchive"
	"walarchive/cmd/internal/walrestore"
)

// known has the flags of every command: "walarchive keys rotate" -> --to, ...
type known map[string][]string

// commands asks the programs themselves, by --help.
func commands(t *testing.T) known {
	t.Helper()
	k := known{}
	k.ask(t, walarchive.Run, "walarchive")
	k.ask(t, walrestore.Run, "walrestore")
	return k
}

var (
	helpCommand = regexp.MustCompile(`(?m)^   ([a-z-]+)(?:, [a-z]+)?  +\S`)
	helpFlag    = regexp.MustCompile(`(?m)^   (--[a-z-]+)`)
)

func (k known) ask(t *testing.T, run command.Run, path string) {
	t.Helper()
	var out bytes.Buffer
	words := strings.Fields(path)
	if code := run(context.Background(), command.Process{Args: append(words[1:], "--help"), Stdout: &out, Stderr: &out}); code != 0 {
		t.Fatalf("%s --help: exit %d\n%s", path, code, &out)
	}
	k[path] = nil
	for _, m := range helpFlag.FindAllStringSubmatch(out.String(), -1) {
		k[path] = append(k[path], m[1])
	}
	_, list, _ := strings.Cut(out.String(), "COMMANDS:")
	list, _, _ = strings.Cut(list, "OPTIONS:")
	for _, m := range helpCommand.FindAllStringSubmatch(list, -1) {
		if m[1] != "help" {
			k.ask(t, run, path+" "+m[1])
		}
	}
}

// invocation is a command of ours in a text, up to what ends a command there.
var invocation = regexp.MustCompile("(?m)(?:^|[\\s'\"`(\\[]|bin/)(wal(?:archive|restore) [a-z-][^\n;|&`#)\\]]*)")

// resolve finds the command that words begin with, and the flags they use.
func (k known) resolve(words []string) (path string, flags []string) {
	path = words[0]
	for i := 1; i < len(words); i++ {
		w := strings.Trim(words[i], `'",[]`)
		switch name, _, valued := strings.Cut(w, "="); {
		case strings.HasPrefix(w, "--"):
			flags = append(flags, name)
			if (name == "--config" || name == "--set") && !valued {
				i++
			}
		case k.has(path + " " + w):
			path += " " + w
		}
	}
	return path, flags
}

func (k known) has(path string) bool { _, ok := k[path]; return ok }

// group reports whether path only has commands below it, and is none itself.
func (k known) group(path string) bool {
	for other := range k {
		if strings.HasPrefix(other, path+" ") {
			return path != "walarchive keys history" && path != "walarchive agent"
		}
	}
	return false
}

// TestCommandsAndFlags: every command and flag in code exists.
func TestCommandsAndFlags(t *testing.T) {
	k := commands(t)
	n := 0
	for _, p := range pages(t) {
		for _, code := range p.code() {
			for _, m := range invocation.FindAllStringSubmatch(code, -1) {
				path, flags := k.resolve(strings.Fields(m[1]))
				if k.group(path) && !slices.Contains(flags, "--help") {
					t.Errorf("%s: no such command: %s", p.name, m[1])
				}
				for _, f := range flags {
					if !slices.Contains(append(k[path], k[strings.Fields(path)[0]]...), f) {
						t.Errorf("%s: %s has no flag %s: %s", p.name, path, f, m[1])
					}
				}
				n++
			}
		}
	}
	if n < 50 {
		t.Errorf("only %d commands found", n)
	}
}

var span = regexp.MustCompile("`([^`]+)`")

// code lists what a page shows as code: its blocks but for what commands
// print, and code in the text.
func (p page) code() []string {
	var all []string
	for _, b := range p.blocks {
		switch b.language {
		case "text", "toml":
		case "yaml":
			all = append(all, strings.ReplaceAll(b.text, ", ", " ")) // [walarchive, verify]
		case "console":
			for _, c := range b.calls() {
				all = append(all, c.command)
			}
		default:
			all = append(all, strings.ReplaceAll(b.text, "\\\n", " "))
		}
	}
	for _, m := range span.FindAllStringSubmatch(p.prose(), -1) {
		if words := strings.Fields(m[1]); len(words) > 1 {
			all = append(all, m[1])
		}
	}
	return all
}

// TestReferenceHasAll: the reference has a section for every command, with all
// its flags.
func TestReferenceHasAll(t *testing.T) {
	text := readPage(t, "docs/reference.md").text
	k := commands(t)
	for path, flags := range k {
		if k.group(path) {
			continue
		}
		_, section, ok := strings.Cut(text, "\n### "+path+"\n")
		if !ok {
			t.Errorf("reference.md has no section %q", path)
			continue
		}
		section, _, _ = strings.Cut(section, "\n#")
		for _, f := range flags {
			common := []string{"--config", "--set", "--json", "--help", "--identity", "--export", "--trust-unanchored"} // said once, above all commands
			if !slices.Contains(common, f) && !strings.Contains(section, "`"+f) {
				t.Errorf("reference.md: %s: %s is missing", path, f)
			}
		}
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	dropped = regexp.MustCompile(`[^a-z0-9_ -]`)
)

// anchors are the fragments that headings of a page can be linked by.
func (p page) anchors() []string {
	var all []string
	for _, m := range heading.FindAllStringSubmatch(p.prose(), -1) {
		plain := dropped.ReplaceAllString(strings.ToLower(m[1]), "")
		all = append(all, strings.ReplaceAll(plain, " ", "-"))
	}
	return all
}

// TestLinks: every relative link leads to a file, and its fragment to a heading.
func TestLinks(t *testing.T) {
	for _, p := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(p.prose(), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			file, fragment, _ := strings.Cut(m[1], "#")
			target := p.name
			if file != "" {
				target = filepath.Join(filepath.Dir(p.name), file)
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s: link to %s: %v", p.name, m[1], err)
				continue
			}
			if fragment != "" && !slices.Contains(readPage(t, target).anchors(), fragment) {
				t.Errorf("%s: link to %s: no such heading", p.name, m[1])
			}
		}
	}
}
