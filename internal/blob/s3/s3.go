// Package s3 keeps blobs in a bucket of anything that speaks S3, for several
// servers at once: PREFIX/ORGANIZATION/KEY.
package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"atrium/internal/blob"
	"atrium/internal/fail"
)

// Options say where the bucket is.
type Options struct {
	// URL is s3://BUCKET/PREFIX?endpoint=http://HOST:PORT&region=REGION; without
	// an endpoint it is Amazon's.
	URL       string
	AccessKey string
	SecretKey string
	Client    http.RoundTripper // how the endpoint is reached
	Dir       string            // for copies while they are read
}

// Store is a bucket of blobs.
type Store struct {
	client *minio.Client
	bucket string
	prefix string
	dir    string
}

const (
	// partSize is what a large upload holds in memory; 10,000 parts are 160 GiB.
	partSize = 16 << 20
	// small is sent as it is, without parts.
	small = 1 << 20
	// upkeep bounds a removal, which has no caller to give it up.
	upkeep = time.Minute
)

// Check tells what is wrong with an address, in words.
func Check(address string) error {
	_, _, _, err := parse(address)
	return err
}

func parse(address string) (u *url.URL, endpoint *url.URL, region string, err error) {
	u, err = url.Parse(address)
	if err != nil || u.Scheme != "s3" || u.Host == "" || u.User != nil || u.Port() != "" {
		return nil, nil, "", errors.New("it must be s3://BUCKET/PREFIX?endpoint=https://HOST&region=REGION, without a password")
	}
	q := u.Query()
	for name := range q {
		if name != "endpoint" && name != "region" {
			return nil, nil, "", fmt.Errorf("it has the parameter %q; there are endpoint and region", name)
		}
	}
	region = q.Get("region")
	text := q.Get("endpoint")
	if text == "" {
		text = "https://s3.amazonaws.com"
	}
	endpoint, err = url.Parse(text)
	if err != nil || endpoint.Host == "" || endpoint.Scheme != "http" && endpoint.Scheme != "https" || strings.Trim(endpoint.Path, "/") != "" || endpoint.User != nil {
		return nil, nil, "", fmt.Errorf("its endpoint %q is not an address, such as https://minio.example.com:9000", text)
	}
	return u, endpoint, region, nil
}

// Open opens the bucket, which has to be there.
func Open(ctx context.Context, o Options) (*Store, error) {
	u, endpoint, region, err := parse(o.URL)
	if err != nil {
		return nil, fmt.Errorf("s3: the address of the bucket: %w", err)
	}
	c, err := minio.New(endpoint.Host, &minio.Options{
		Creds: credentials.NewStaticV4(o.AccessKey, o.SecretKey, ""), Secure: endpoint.Scheme == "https", Region: region, Transport: o.Client, MaxRetries: 3,
	})
	if err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	s := &Store{client: c, bucket: u.Host, prefix: strings.Trim(path.Clean("/"+u.Path), "/"), dir: o.Dir}
	there, err := c.BucketExists(ctx, s.bucket)
	if err != nil {
		return nil, fmt.Errorf("s3: the bucket %s at %s cannot be reached; check the address and the keys: %w", s.bucket, endpoint.Host, err)
	}
	if !there {
		return nil, fmt.Errorf("s3: there is no bucket %s at %s; make it first", s.bucket, endpoint.Host)
	}
	return s, os.MkdirAll(o.Dir, 0o700)
}

func (s *Store) name(orgID int64, key string) string {
	return path.Join(s.prefix, strconv.FormatInt(orgID, 10), key)
}

// limited reads at most so many bytes and fails at more, so that nothing is
// stored. It remembers the reader's own error, which the client library wraps.
type limited struct {
	r     io.Reader
	left  int64
	limit int64
	err   error
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		err = blob.TooLarge(l.limit)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		l.err = err
	}
	return n, err
}

// Put stores what r holds; see blob.Store.
func (s *Store) Put(ctx context.Context, orgID int64, r io.Reader, limit int64) (blob.Blob, error) {
	b := blob.Blob{Key: rand.Text()}
	h := sha256.New()
	in := &limited{r: r, left: limit, limit: limit}
	body := io.TeeReader(in, h)
	head, err := io.ReadAll(io.LimitReader(body, small))
	if err != nil {
		return blob.Blob{}, err
	}
	// An MD5 guards each part on its way, with and without TLS alike.
	o := minio.PutObjectOptions{ContentType: "application/octet-stream", SendContentMd5: true, DisableContentSha256: true}
	size := int64(-1)
	if len(head) < small {
		size, body = int64(len(head)), bytes.NewReader(head)
	} else {
		o.PartSize, body = partSize, io.MultiReader(bytes.NewReader(head), body)
	}
	info, err := s.client.PutObject(ctx, s.bucket, s.name(orgID, b.Key), body, size, o)
	switch {
	case in.err != nil:
		return blob.Blob{}, in.err
	case err != nil:
		return blob.Blob{}, explain(ctx, err)
	}
	b.Size, b.SHA256 = limit-in.left, hex.EncodeToString(h.Sum(nil))
	if info.Size != b.Size {
		return blob.Blob{}, errors.Join(fmt.Errorf("s3: %d bytes of %d were stored", info.Size, b.Size), s.Delete(orgID, b.Key))
	}
	return b, nil
}

// explain makes an error of the store one that the caller may see.
func explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fail.Unavailable("the store of files does not take or give them now; try again, and tell your administrator if it stays").Because(fmt.Errorf("s3: %w", err))
}

// Open opens a blob; see blob.Store.
func (s *Store) Open(ctx context.Context, orgID int64, key string) (io.ReadSeekCloser, error) {
	if !blob.WellFormed(key) {
		return nil, blob.Unknown(key)
	}
	o, err := s.client.GetObject(ctx, s.bucket, s.name(orgID, key), minio.GetObjectOptions{})
	if err == nil {
		_, err = o.Stat()
	}
	if err != nil {
		if o != nil {
			_ = o.Close()
		}
		if minio.ToErrorResponse(err).StatusCode == http.StatusNotFound {
			return nil, blob.Unknown(key)
		}
		return nil, explain(ctx, err)
	}
	return o, nil
}

// Local copies a blob to the disk for as long as it is read.
func (s *Store) Local(ctx context.Context, orgID int64, key string) (name string, done func(), err error) {
	in, err := s.Open(ctx, orgID, key)
	if err != nil {
		return "", nil, err
	}
	defer in.Close()
	f, err := os.CreateTemp(s.dir, "blob-*")
	if err != nil {
		return "", nil, err
	}
	done = func() { _ = os.Remove(f.Name()) }
	_, err = io.Copy(f, in)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		done()
		if _, ours := errors.AsType[*os.PathError](err); !ours {
			err = explain(ctx, err)
		}
		return "", nil, err
	}
	return f.Name(), done, nil
}

// Delete removes a blob; see blob.Store.
func (s *Store) Delete(orgID int64, key string) error {
	if !blob.WellFormed(key) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), upkeep)
	defer cancel()
	if err := s.client.RemoveObject(ctx, s.bucket, s.name(orgID, key), minio.RemoveObjectOptions{}); err != nil {
		return fmt.Errorf("s3: %w", err)
	}
	return nil
}

// Sweep removes what nobody wants; see blob.Store.
func (s *Store) Sweep(before time.Time, keep func(orgID int64, key string) bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	root := s.prefix
	if root != "" {
		root += "/"
	}
	var errs []error
	for o := range s.client.ListObjects(ctx, s.bucket, minio.ListObjectsOptions{Prefix: root, Recursive: true}) {
		if o.Err != nil {
			return errors.Join(append(errs, fmt.Errorf("s3: %w", o.Err))...)
		}
		org, key, _ := strings.Cut(strings.TrimPrefix(o.Key, root), "/")
		id, err := strconv.ParseInt(org, 10, 64)
		if err != nil || !blob.WellFormed(key) || !o.LastModified.Before(before) || keep(id, key) {
			continue
		}
		errs = append(errs, s.Delete(id, key))
	}
	for u := range s.client.ListIncompleteUploads(ctx, s.bucket, root, true) {
		switch {
		case u.Err != nil:
			return errors.Join(append(errs, fmt.Errorf("s3: %w", u.Err))...)
		case u.Initiated.Before(before):
			errs = append(errs, s.client.RemoveIncompleteUpload(ctx, s.bucket, u.Key))
		}
	}
	return errors.Join(append(errs, s.sweepCopies(before))...)
}

// sweepCopies removes what a process left that was killed while it read.
func (s *Store) sweepCopies(before time.Time) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !strings.HasPrefix(e.Name(), "blob-") || !info.ModTime().Before(before) {
			continue
		}
		errs = append(errs, os.Remove(path.Join(s.dir, e.Name())))
	}
	return errors.Join(errs...)
}

var _ blob.Store = (*Store)(nil)
