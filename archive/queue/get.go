package queue

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"walarchive/archive"
	"walarchive/archive/wal"
)

// OpGet is the call for bringing back a file.
const OpGet = "get"

// getSilence is how long an agent may say nothing about a get. A standby has
// three seconds in all, and may have to do it itself.
const getSilence = 1200 * time.Millisecond

// GetQuestion asks for a WAL file for the server in DataDir.
type GetQuestion struct {
	DataDir  string       `json:"data_dir"` // absolute
	Name     string       `json:"name"`
	Dest     string       `json:"dest"` // what PostgreSQL wants it as, absolute
	Into     string       `json:"into"` // the caller's file, beside Dest, that takes the content
	Timeline wal.Timeline `json:"timeline,omitempty"`
	Partial  bool         `json:"partial,omitempty"`
}

// GetAnswer says what was written.
type GetAnswer struct {
	Object   string   `json:"object"`
	Store    string   `json:"store,omitempty"`
	Plain    int64    `json:"plain,string"`
	Sealed   int64    `json:"sealed,string"`
	Retries  int      `json:"retries"`
	Cut      uint64   `json:"cut,string,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

// Get has the agent deliver the file called name to dest, as archive.Get does.
// The agent fills a file that only here gets its name: one that was given up
// and comes to life again writes to what nobody looks at.
func (c *Client) Get(ctx context.Context, d *archive.DataDir, name, dest string, o archive.GetOptions) (*archive.Got, error) {
	asking := *c
	asking.Progress = o.Progress
	if asking.Silence == 0 {
		asking.Silence = getSilence
	}
	var a GetAnswer
	err := d.Receive(dest, func(f *os.File) error {
		return asking.Ask(ctx, OpGet, GetQuestion{
			DataDir: d.Path, Name: name, Dest: d.Resolve(dest), Into: f.Name(), Timeline: o.Timeline, Partial: o.Partial,
		}, &a)
	})
	if err != nil {
		return nil, err
	}
	return &archive.Got{
		Object: a.Object, Store: a.Store, Plain: a.Plain, Sealed: a.Sealed, Retries: a.Retries,
		Cut: wal.LSN(a.Cut), Warnings: a.Warnings,
	}, nil
}

// Delivery is a get that ended.
type Delivery struct {
	Name string
	Got  *archive.Got // nil if there was none
	Err  error
	Took time.Duration
}

// Getter brings WAL back to the server of one data directory.
type Getter struct {
	Dir      string
	Holder   *Holder // of the archive over Prefetch
	Prefetch *Prefetch
	Done     func(Delivery) // hears of every get
}

// Get answers a call. A recovery that gets a segment will ask for the next ones:
// these are fetched from now on.
func (g *Getter) Get(ctx context.Context, q GetQuestion, progress func()) (GetAnswer, error) {
	if !sameDir(q.DataDir, g.Dir) {
		return GetAnswer{}, Declinef("it serves the data directory %s", g.Dir)
	}
	if !filepath.IsAbs(q.Into) || filepath.Dir(q.Into) != filepath.Dir(q.Dest) {
		return GetAnswer{}, Declinef("%q does not lie beside %q", q.Into, q.Dest)
	}
	d, err := archive.OpenDataDir(q.DataDir)
	if err != nil {
		return GetAnswer{}, Declinef("%v", err)
	}
	begin := time.Now()
	got, err := g.get(ctx, d, q, progress)
	g.Done(Delivery{q.Name, got, err, time.Since(begin)})
	if err != nil {
		return GetAnswer{}, err
	}
	if got.Ahead != nil {
		g.Prefetch.Want(got.Ahead)
	}
	return GetAnswer{
		Object: got.Object, Store: got.Store, Plain: got.Plain, Sealed: got.Sealed, Retries: got.Retries,
		Cut: uint64(got.Cut), Warnings: got.Warnings,
	}, nil
}

func (g *Getter) get(ctx context.Context, d *archive.DataDir, q GetQuestion, progress func()) (got *archive.Got, err error) {
	f, err := os.OpenFile(q.Into, os.O_WRONLY, 0)
	if err != nil {
		return nil, Declinef("%v", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	err = g.Holder.Use(ctx, func(a *archive.Archive) error {
		got, err = a.Get(ctx, d, q.Name, q.Dest, archive.GetOptions{
			Timeline: q.Timeline, Partial: q.Partial, Progress: progress, Into: f, Ahead: g.Prefetch.Depth,
		})
		return err
	})
	return got, err
}

// TakeMemory takes n bytes of what pushes may use, if they are free.
func (p *Pusher) TakeMemory(n int64) bool { return p.memory.TryAcquire(n) }

// ReturnMemory gives back what TakeMemory took.
func (p *Pusher) ReturnMemory(n int64) { p.memory.Release(n) }
