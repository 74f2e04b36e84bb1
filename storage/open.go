package storage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// An Opener opens the bucket that a URL names. It refuses query parameters
// that it does not know: CheckQuery.
type Opener func(ctx context.Context, u *url.URL) (Bucket, error)

// Mux has the openers by URL scheme.
type Mux map[string]Opener

// Open opens the bucket at rawURL with the opener of its scheme. The URL says
// where the bucket is and carries no secrets: user information is refused. No
// error repeats the URL, in case somebody put a password into it. Open returns
// when ctx ends, even if the store hangs: give it a deadline.
func (m Mux) Open(ctx context.Context, rawURL string) (Bucket, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, invalid("the storage URL is malformed")
	}
	open, ok := m[u.Scheme]
	switch {
	case u.Scheme == "":
		return nil, Classify(errors.New("the storage URL has no scheme"), ErrInvalid,
			"a directory is written file:///srv/wal")
	case !ok:
		return nil, Classify(fmt.Errorf("unknown scheme %q in the storage URL", u.Scheme), ErrInvalid,
			"known are: "+strings.Join(slices.Sorted(maps.Keys(m)), ", "))
	case u.User != nil:
		return nil, Classify(errors.New("the storage URL has user information"), ErrInvalid,
			"credentials never stand in URLs; take them out, and replace them if the URL was logged")
	}
	return openWithin(ctx, open, u)
}

// openWithin leaves an opener that hangs behind, with its goroutine.
func openWithin(ctx context.Context, open Opener, u *url.URL) (Bucket, error) {
	c := start(func() (Bucket, error) { return open(ctx, u) }, nil, func() {})
	select {
	case <-c.done:
		return c.value, c.err
	case <-ctx.Done():
		close(c.left)
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil, Classify(errors.New("opening the store: no answer in time"), ErrUnavailable, "is the store reachable?")
	}
	return nil, fmt.Errorf("opening the store: %w", ctx.Err())
}

// CheckQuery refuses a fragment and all query parameters but the known ones,
// and those given twice. It names them without their values.
func CheckQuery(u *url.URL, known ...string) error {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return invalid("the query of the storage URL is malformed")
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if !slices.Contains(known, name) {
			return invalid("unknown parameter %q in the storage URL", name)
		}
		if len(query[name]) > 1 {
			return invalid("parameter %q stands twice in the storage URL", name)
		}
	}
	if u.Fragment != "" {
		return Classify(errors.New("the storage URL has a fragment"), ErrInvalid, "write # as %23")
	}
	return nil
}
