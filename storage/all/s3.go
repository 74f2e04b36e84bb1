//go:build !no_s3

package all

import (
	"context"
	"time"

	"walarchive/storage"
	"walarchive/storage/s3"
)

func openS3(s S3, connect time.Duration) storage.Opener {
	return opener(func(ctx context.Context, name string) (*s3.Bucket, error) {
		return s3.New(ctx, s3.Options{
			Bucket: name, Endpoint: s.Endpoint, Region: s.Region, Profile: s.Profile, PathStyle: s.PathStyle,
			CAFile: s.CAFile, ConnectTimeout: connect,
			StorageClass: s.StorageClass, Encryption: s.Encryption, EncryptionKey: s.EncryptionKey,
			RetainMode: s.RetainMode, RetainFor: s.RetainFor,
			PartSize: int64(s.PartSize) << 20, Concurrency: s.Concurrency,
		})
	})
}
