package server

import (
	"context"
	"path/filepath"

	"atrium/internal/blob"
	"atrium/internal/blob/s3"
	"atrium/internal/egress"
)

// openBlobs opens the store of files that the settings name.
func openBlobs(ctx context.Context, c Config, g *egress.Guard) (blob.Store, error) {
	if c.BlobURL == "" {
		return blob.Open(filepath.Join(c.Data, "blobs"))
	}
	return s3.Open(ctx, s3.Options{
		URL: c.BlobURL, AccessKey: c.BlobAccessKey, SecretKey: string(c.BlobSecretKey),
		Client: g.Operator(egress.Limits{}).Transport, Dir: filepath.Join(c.Data, "tmp"),
	})
}
