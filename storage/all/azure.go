//go:build !no_azure

package all

import (
	"context"
	"time"

	"walarchive/storage"
	"walarchive/storage/azure"
)

func openAzure(s Azure, connect time.Duration) storage.Opener {
	return opener(func(ctx context.Context, name string) (*azure.Bucket, error) {
		return azure.New(ctx, azure.Options{
			Container: name, Account: s.Account, Endpoint: s.Endpoint,
			ConnectionStringFile: s.ConnectionStringFile, SASFile: s.SASFile, KeyFile: s.KeyFile,
			CAFile: s.CAFile, ConnectTimeout: connect,
			Tier: s.Tier, EncryptionScope: s.EncryptionScope,
			RetainMode: s.RetainMode, RetainFor: s.RetainFor,
			PartSize: int64(s.PartSize) << 20, Concurrency: s.Concurrency,
		})
	})
}
