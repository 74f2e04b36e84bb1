//go:build no_azure

package all

import (
	"time"

	"walarchive/storage"
)

func openAzure(Azure, time.Duration) storage.Opener { return without("Azure", "no_azure") }
