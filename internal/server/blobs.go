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
	if c.Blob.URL == "" {
		return blob.Open(filepath.Join(c.Data, "blobs"))
	}
	return s3.Open(ctx, s3.Options{
		URL: c.Blob.URL, AccessKey: c.Blob.AccessKey, SecretKey: string(c.Blob.SecretKey),
		Client: g.Operator(egress.Limits{}).Transport, Dir: filepath.Join(c.Data, "tmp"),
	})
}
