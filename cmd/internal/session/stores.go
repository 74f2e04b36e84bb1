package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"walarchive/cmd/internal/config"
	"walarchive/storage"
	backends "walarchive/storage/all"
	"walarchive/storage/limit"
	"walarchive/storage/mirror"
)

// Bucket opens this cluster's part of the store, or of the stores as one: a
// *mirror.Bucket. Each call of a store is bounded in time; whoever wants calls
// repeated does so: see Patient.
func (s *Session) Bucket(ctx context.Context) (storage.Bucket, error) {
	stores, err := s.Stores(ctx)
	if err != nil {
		return nil, err
	}
	if len(stores) == 1 {
		return stores[0].Bucket, nil
	}
	return mirror.New(stores, mirror.Options{Quorum: s.Config.Storage.Quorum, Log: s.Log}), nil
}

// Patient repeats calls of b, or of each store that it consists of, that fail,
// within the time that ctx leaves.
func (s *Session) Patient(b storage.Bucket) storage.Bucket {
	repeat := func(b storage.Bucket) storage.Bucket {
		return storage.WithRetry(b, storage.Policy{Repeated: s.Repeated}, s.Log)
	}
	if stores, ok := b.(*mirror.Bucket); ok {
		return stores.Repeated(repeat)
	}
	return repeat(b)
}

// Stores opens this cluster's part of every store, the first one first. One of
// several that cannot be reached now fails with each call.
func (s *Session) Stores(ctx context.Context) ([]mirror.Store, error) {
	all := append([]config.Store{s.Config.Storage.Store}, s.Config.Storage.Mirrors...)
	var stores []mirror.Store
	for _, c := range all {
		b, err := s.openStore(ctx, c)
		switch {
		case err == nil:
		case len(all) == 1:
			return nil, err
		case storage.Permanent(err) || ctx.Err() != nil:
			return nil, fmt.Errorf("%s: %w", c.URL, err)
		default:
			b = mirror.Unopened(err)
		}
		stores = append(stores, mirror.Store{Name: c.URL, Bucket: b})
	}
	return stores, nil
}

// InBulk keeps what is read from the stores that are opened from now on to the
// rate for work in bulk, which is neither push nor get.
func (s *Session) InBulk() { s.bulk = limit.NewLine(int64(s.Config.Storage.BulkRate) << 20) }

func (s *Session) openStore(ctx context.Context, store config.Store) (storage.Bucket, error) {
	settings := s.Config.Storage
	b, err := openWithin(ctx, settings.ConnectTimeout, backends.Openers(backends.Settings{
		ConnectTimeout: settings.ConnectTimeout,
		S3:             store.S3, GCS: store.GCS, Azure: store.Azure,
	}), store.URL)
	if err != nil {
		return nil, err
	}
	b = storage.WithTimeout(b, storage.Limits{
		Answer:   settings.ConnectTimeout,
		Progress: settings.ProgressTimeout,
		Total:    settings.TotalTimeout,
	})
	b = limit.Requests(b, settings.RequestRate)
	if s.bulk != nil {
		b = s.bulk.Bytes(b)
	}
	return storage.WithPrefix(b, s.Config.Cluster.Name), nil
}

// openWithin opens a bucket within limit. The bucket goes on using the context
// that it was opened with, which therefore ends only with ctx.
func openWithin(ctx context.Context, limit time.Duration, openers storage.Mux, url string) (storage.Bucket, error) {
	opening, cancel := context.WithCancel(ctx)
	timer := time.AfterFunc(limit, cancel)
	b, err := openers.Open(opening, url)
	if !timer.Stop() && ctx.Err() == nil {
		return nil, storage.Classify(errors.New("opening the store: no answer in time"), storage.ErrUnavailable, "is the store reachable?")
	}
	return b, err
}
