//go:build !no_gcs

package all

import (
	"context"
	"time"

	"walarchive/storage"
	"walarchive/storage/gcs"
)

func openGCS(s GCS, connect time.Duration) storage.Opener {
	return opener(func(ctx context.Context, name string) (*gcs.Bucket, error) {
		return gcs.New(ctx, gcs.Options{
			Bucket: name, Endpoint: s.Endpoint, Anonymous: s.Anonymous,
			CAFile: s.CAFile, ConnectTimeout: connect,
			StorageClass: s.StorageClass, EncryptionKey: s.EncryptionKey,
			RetainMode: s.RetainMode, RetainFor: s.RetainFor,
			PartSize: int64(s.PartSize) << 20,
		})
	})
}
