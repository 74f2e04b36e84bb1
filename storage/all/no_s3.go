//go:build no_s3

package all

import (
	"time"

	"walarchive/storage"
)

func openS3(S3, time.Duration) storage.Opener { return without("S3", "no_s3") }
