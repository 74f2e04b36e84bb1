package pitr

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// streams reports whether the server's primary_conninfo is set. Where its
// configuration cannot be read, it is taken to be: a standby that is kept
// waiting does more harm than one that is told too early that a file is absent.
func streams(pgdata string) bool {
	r := settingsReader{name: "primary_conninfo"}
	config := filepath.Join(pgdata, "postgresql.conf")
	options := commandLine(pgdata)
	if f, ok := options["config_file"]; ok {
		config = f
	}
	readable := r.file(config, 0)
	r.file(filepath.Join(pgdata, "postgresql.auto.conf"), 0)
	if v, ok := options[r.name]; ok {
		r.value = v
	}
	return r.value != "" || !readable
}

// settingsReader looks for the last value of one setting, as PostgreSQL does.
type settingsReader struct {
	name, value string
}

// maxIncludes is how deep PostgreSQL follows include directives.
const maxIncludes = 10

var settingLine = regexp.MustCompile(`^\s*([A-Za-z_][A-Za-z0-9_.]*)\s*(?:=\s*|\s+)('(?:[^']|'')*'|[^\s#']+)`)

// file reads a configuration file and those it includes, and reports whether
// all could be read.
func (r *settingsReader) file(path string, depth int) bool {
	b, err := os.ReadFile(path)
	if err != nil || depth > maxIncludes {
		return false
	}
	readable := true
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		m := settingLine.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		value := unquote(m[2])
		target := value
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		switch strings.ToLower(m[1]) {
		case r.name:
			r.value = value
		case "include":
			readable = r.file(target, depth+1) && readable
		case "include_if_exists":
			r.file(target, depth+1)
		case "include_dir":
			readable = r.directory(target, depth+1) && readable
		}
	}
	return readable && lines.Err() == nil
}

func (r *settingsReader) directory(path string, depth int) bool {
	entries, err := os.ReadDir(path) // in order of their names, as PostgreSQL reads them
	readable := err == nil
	for _, e := range entries {
		if name := e.Name(); strings.HasSuffix(name, ".conf") && !strings.HasPrefix(name, ".") {
			readable = r.file(filepath.Join(path, name), depth) && readable
		}
	}
	return readable
}

func unquote(s string) string {
	if !strings.HasPrefix(s, "'") {
		return s
	}
	return strings.ReplaceAll(s[1:len(s)-1], "''", "'")
}

var optionWord = regexp.MustCompile(`"([^"]*)"`)

// commandLine reads the settings that the running server was given on its
// command line, which PostgreSQL notes in postmaster.opts.
func commandLine(pgdata string) map[string]string {
	options := map[string]string{}
	b, err := os.ReadFile(filepath.Join(pgdata, "postmaster.opts"))
	if err != nil {
		return options // not started this way; the files decide
	}
	for _, m := range optionWord.FindAllStringSubmatch(string(b), -1) {
		word := strings.TrimPrefix(strings.TrimPrefix(m[1], "-c"), "--")
		if name, value, ok := strings.Cut(word, "="); ok {
			options[strings.ReplaceAll(strings.ToLower(name), "-", "_")] = value
		}
	}
	return options
}
