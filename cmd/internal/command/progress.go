package command

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Progress shows how far long work has come: on a terminal in one line that
// changes, elsewhere as one line a minute. Its methods may be called
// concurrently.
type Progress struct {
	w        io.Writer
	what     string
	terminal bool

	mu    sync.Mutex
	next  time.Time // when to show the next one
	shown bool
}

// NewProgress shows the progress of what on w.
func NewProgress(w io.Writer, what string) *Progress {
	p := &Progress{w: w, what: what, terminal: isTerminal(w)}
	p.next = time.Now().Add(p.pause())
	return p
}

func (p *Progress) pause() time.Duration {
	if p.terminal {
		return 200 * time.Millisecond
	}
	return time.Minute
}

// Show tells how far the work is. Most calls do nothing.
func (p *Progress) Show(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if now.Before(p.next) {
		return
	}
	p.next = now.Add(p.pause())
	p.shown = true
	line := p.what + ": " + fmt.Sprintf(format, args...)
	if p.terminal {
		_, _ = fmt.Fprintf(p.w, "\r\x1b[K%s", line)
	} else {
		_, _ = fmt.Fprintln(p.w, line)
	}
}

// End clears the line on a terminal.
func (p *Progress) End() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.terminal && p.shown {
		_, _ = io.WriteString(p.w, "\r\x1b[K")
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
