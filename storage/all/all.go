// Package all lists the backends of storage. Only commands import it.
//
// Each has a file here. The build tags no_s3, no_gcs and no_azure leave one
// out, with its SDK: a smaller program that starts faster. Another backend is
// a package that passes storagetest.TestBucket and one more entry in Openers.
package all

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"walarchive/storage"
	"walarchive/storage/file"
)

// Settings are what a URL does not say. The zero value is good; each backend
// checks its own when it is opened. None is a secret.
type Settings struct {
	ConnectTimeout time.Duration // 0: the backend's default
	S3             S3
	GCS            GCS
	Azure          Azure
}

// S3 are the settings for s3://bucket/prefix; see s3.Options.
type S3 struct {
	Endpoint, Region, Profile, PathStyle, CAFile        string
	StorageClass, Encryption, EncryptionKey, RetainMode string
	RetainFor                                           time.Duration
	PartSize                                            int // MiB
	Concurrency                                         int
}

// GCS are the settings for gs://bucket/prefix; see gcs.Options.
type GCS struct {
	Endpoint                                string
	Anonymous                               bool
	CAFile                                  string
	StorageClass, EncryptionKey, RetainMode string
	RetainFor                               time.Duration
	PartSize                                int // MiB
}

// Azure are the settings for azblob://container/prefix; see azure.Options.
type Azure struct {
	Account, Endpoint                      string
	ConnectionStringFile, SASFile, KeyFile string
	CAFile                                 string
	Tier, EncryptionScope, RetainMode      string
	RetainFor                              time.Duration
	PartSize                               int // MiB
	Concurrency                            int
}

// Openers has every backend by its URL scheme. None of them does anything
// before it is asked to open.
func Openers(s Settings) storage.Mux {
	return storage.Mux{
		"file":   file.Open,
		"s3":     openS3(s.S3, s.ConnectTimeout),
		"gs":     openGCS(s.GCS, s.ConnectTimeout),
		"azblob": openAzure(s.Azure, s.ConnectTimeout),
	}
}

// opener opens what open opens, of URLs SCHEME://BUCKET/PREFIX.
func opener[B storage.Bucket](open func(ctx context.Context, bucket string) (B, error)) storage.Opener {
	return func(ctx context.Context, u *url.URL) (storage.Bucket, error) {
		if err := storage.CheckQuery(u); err != nil {
			return nil, err
		}
		prefix := strings.Trim(u.Path, "/")
		if u.Opaque != "" || u.Host == "" || u.Port() != "" || prefix != "" && !storage.ValidName(prefix) {
			return nil, storage.Classify(errors.New("the storage URL names no bucket and prefix"), storage.ErrInvalid,
				fmt.Sprintf("write %s://BUCKET/PREFIX; addresses of servers are settings", u.Scheme))
		}
		b, err := open(ctx, u.Host)
		if err != nil {
			return nil, err
		}
		return storage.WithPrefix(b, prefix), nil
	}
}
