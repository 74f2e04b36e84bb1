//go:build no_gcs

package all

import (
	"time"

	"walarchive/storage"
)

func openGCS(GCS, time.Duration) storage.Opener { return without("Google Cloud Storage", "no_gcs") }
