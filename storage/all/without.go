//go:build no_s3 || no_gcs || no_azure

package all

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"walarchive/storage"
)

// without stands for a backend that a build tag left out.
func without(name, tag string) storage.Opener {
	return func(context.Context, *url.URL) (storage.Bucket, error) {
		return nil, storage.Classify(fmt.Errorf("this program was built without %s", name), errors.ErrUnsupported,
			"build it without the tag "+tag)
	}
}
