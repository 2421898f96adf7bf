// Package secret encrypts what has to be stored and given back: keys of model
// servers, tokens of connectors. The key is derived from the master key, which
// is kept outside the database. What is sealed opens only at the place it was
// sealed for, so that a value moved to another row or organization is refused.
package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Text is a secret in memory: printed, logged or encoded it is ***. Convert it
// to a string where it is used.
type Text string

const hidden = "***"

// String hides the secret.
func (Text) String() string { return hidden }

// GoString hides the secret from %#v.
func (Text) GoString() string { return hidden }

// MarshalText hides the secret in JSON, YAML and logs.
func (Text) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Place is the row that a sealed value belongs to.
type Place struct {
	Table string
	OrgID int64
	RowID int64
}

func (p Place) data() []byte { return fmt.Appendf(nil, "%s/%d/%d", p.Table, p.OrgID, p.RowID) }

// Box seals with one key and opens what any of its keys has sealed. It is safe
// for concurrent use.
type Box struct {
	id   string
	keys map[string]cipher.AEAD
}

// New makes a Box that seals with the master key; what the older ones sealed
// still opens, and is sealed anew when it is next written.
func New(master []byte, older ...[]byte) (*Box, error) {
	b := &Box{keys: map[string]cipher.AEAD{}}
	for _, m := range append([][]byte{master}, older...) {
		id, aead, err := derive(m)
		if err != nil {
			return nil, err
		}
		if b.id == "" {
			b.id = id
		}
		b.keys[id] = aead
	}
	return b, nil
}

const version = "v1"

func derive(master []byte) (id string, aead cipher.AEAD, err error) {
	if len(master) < 16 {
		return "", nil, errors.New("secret: the master key is too short")
	}
	key, err := hkdf.Key(sha256.New, master, nil, "atrium secrets at rest", 32)
	if err != nil {
		return "", nil, fmt.Errorf("secret: %w", err)
	}
	name, err := hkdf.Key(sha256.New, master, nil, "atrium name of the key for secrets", 4)
	if err != nil {
		return "", nil, fmt.Errorf("secret: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", nil, fmt.Errorf("secret: %w", err)
	}
	aead, err = cipher.NewGCMWithRandomNonce(block)
	return hex.EncodeToString(name), aead, err
}

// Name tells one master key from another and nothing else of it.
func (b *Box) Name() string { return b.id }

// Seal encrypts for a place: v1.KEY.BYTES.
func (b *Box) Seal(plain Text, at Place) string {
	sealed := b.keys[b.id].Seal(nil, nil, []byte(plain), at.data()) //nolint:gosec // the cipher makes its own random nonce
	return version + "." + b.id + "." + base64.RawURLEncoding.EncodeToString(sealed)
}

// Open decrypts what was sealed for the same place.
func (b *Box) Open(sealed string, at Place) (Text, error) {
	v, rest, _ := strings.Cut(sealed, ".")
	id, body, found := strings.Cut(rest, ".")
	if v != version || !found {
		return "", errors.New("secret: this is nothing that was sealed")
	}
	aead, known := b.keys[id]
	if !known {
		return "", fmt.Errorf("secret: sealed with the key %s, which this server does not have; start it with the master key of that time", id)
	}
	raw, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return "", errors.New("secret: the sealed value is damaged")
	}
	plain, err := aead.Open(nil, nil, raw, at.data())
	if err != nil {
		return "", fmt.Errorf("secret: the sealed value is damaged, or was moved to %s from elsewhere", at.data())
	}
	return Text(plain), nil
}
