//go:build integration

package procbench

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// PostgreSQL starts a process for each segment, so the SDKs, most of which a
// process never uses, may not cost much by being there.
func TestStartTime(t *testing.T) {
	all, none := build(t), build(t, without)
	var times [2]time.Duration // the least: what others do on the machine only adds
	for range 40 {
		for i, bin := range []string{all, none} {
			if took := start(t, bin); times[i] == 0 || took < times[i] {
				times[i] = took
			}
		}
	}
	t.Logf("walarchive version: %v with all SDKs, %v without", times[0], times[1])
	if most := times[1]*3/2 + 8*time.Millisecond; times[0] > most {
		t.Errorf("walarchive version takes %v, want at most %v: 1.5 times %v, and 8 ms", times[0], most, times[1])
	}
}

func start(t *testing.T, bin string) time.Duration {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, "walarchive"), "version")
	cmd.Stdout = io.Discard
	begin := time.Now()
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return time.Since(begin)
}

// initLine is the runtime's report on a package: its name, when it began, and
// how long its initialisation took, in ms.
var initLine = regexp.MustCompile(`^init (\S+) @\S+ ms, (\S+) ms clock,`)

// No package of ours may do work before main: tables, templates and clients
// are made when they are asked for.
func TestNoWorkBeforeMain(t *testing.T) {
	const most = 0.2 // ms
	bin := build(t)
	least := map[string]float64{}
	for range 5 {
		cmd := exec.Command(filepath.Join(bin, "walarchive"), "version")
		cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
		var report strings.Builder
		cmd.Stderr = &report
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(strings.NewReader(report.String())); lines.Scan(); {
			m := initLine.FindStringSubmatch(lines.Text())
			if m == nil {
				continue
			}
			ms, err := strconv.ParseFloat(m[2], 64)
			if err != nil {
				t.Fatal(err)
			}
			if before, seen := least[m[1]]; !seen || ms < before {
				least[m[1]] = ms
			}
		}
	}
	if len(least) < 50 {
		t.Fatalf("the runtime reports %d packages: has its report another form?", len(least))
	}
	for name, ms := range least {
		if strings.HasPrefix(name, "walarchive/") && ms > most {
			t.Errorf("%s takes %v ms before main, want at most %v", name, ms, most)
		}
	}
}
