package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"

	"atrium/internal/embed"
	"atrium/internal/peer"
	"atrium/internal/secret"
)

// join brings the server among the others on its database, with the settings that all
// need to have alike.
func (s *Server) join(ctx context.Context, box *secret.Box, e embed.Embedder) error {
	store, err := storeName(s.cfg)
	if err != nil {
		return err
	}
	embedder := "none"
	if e != nil {
		embedder = e.Name()
	}
	s.peers, err = peer.Join(ctx, s.db, s.log, Version, []peer.Setting{
		{Name: "ATRIUM_MASTER_KEY", Value: box.Name(), Refuse: true, Harm: "neither can read the secrets that the other keeps, and people are signed in at one of them only (unless it is set there, it is in the file master.key of that server's data folder)"},
		{Name: "ATRIUM_BLOB_URL", Value: store, Refuse: true, Harm: "neither has the files that the other takes (they need one bucket, or one shared folder blobs)"},
		{Name: "ATRIUM_EMBED_MODEL", Value: embedder, Harm: "each makes the vectors of all documents anew, time and again"},
		{Name: "ATRIUM_PUBLIC_URL", Value: s.cfg.PublicURL, Harm: "links lead now to the one and now to the other"},
	})
	return err
}

// storeName tells one store of files from another: a bucket by its name, since servers
// may reach it at different addresses, and a folder by a file in it, since a shared disk
// may have different paths.
func storeName(c Config) (string, error) {
	if c.BlobURL != "" {
		u, err := url.Parse(c.BlobURL)
		if err != nil {
			return "", fmt.Errorf("ATRIUM_BLOB_URL: %w", err)
		}
		return "bucket " + u.Host + u.Path, nil
	}
	id, err := keptIn(filepath.Join(c.Data, "blobs", "store.id"), rand.Text, func(s string) (string, error) {
		if s == "" {
			return "", errors.New("it is empty; remove it")
		}
		return s, nil
	})
	return "folder " + id, err
}

// peerFigures tells which settings another server has otherwise.
type peerFigures struct{ s *Server }

var differsDesc = prometheus.NewDesc("atrium_setting_differs", "1 for each setting that another running server on this database has otherwise, though all need it alike.", []string{"setting"}, nil)

func (peerFigures) Describe(ch chan<- *prometheus.Desc) { ch <- differsDesc }

func (f peerFigures) Collect(ch chan<- prometheus.Metric) {
	told := map[string]bool{}
	for _, d := range f.s.peers.Differing() {
		if !told[d.Name] {
			told[d.Name] = true
			ch <- prometheus.MustNewConstMetric(differsDesc, prometheus.GaugeValue, 1, d.Name)
		}
	}
}
