package command

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestProgress(t *testing.T) {
	tests := []struct {
		name     string
		terminal bool
		want     string // after two minutes of a call each 100 ms
	}{
		{"log", false, "verify: 600 objects\nverify: 1200 objects\n"},
		{"terminal", true, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var b strings.Builder
				p := &Progress{w: &b, what: "verify", terminal: tt.terminal}
				p.next = time.Now().Add(p.pause())
				for n := range 1200 {
					time.Sleep(100 * time.Millisecond)
					p.Show("%d objects", n+1)
				}
				p.End()
				got := b.String()
				if !tt.terminal && got != tt.want {
					t.Errorf("printed %q, want %q", got, tt.want)
				}
				if tt.terminal && (strings.Contains(got, "\n") || strings.Count(got, "objects") != 600 || !strings.HasSuffix(got, "\r\x1b[K")) {
					t.Errorf("printed %.200q ..., want 600 lines over one another, cleared at the end", got)
				}
			})
		})
	}
}

func TestNoTerminal(t *testing.T) {
	if isTerminal(&strings.Builder{}) {
		t.Error("a buffer is taken for a terminal")
	}
}
