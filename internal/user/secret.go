package user

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/argon2id"

	"atrium/internal/fail"
	"atrium/internal/limit"
)

// derive makes a key for one purpose out of the master key.
func derive(master []byte, purpose string) []byte {
	k, err := hkdf.Key(sha256.New, master, nil, "atrium "+purpose, 32)
	if err != nil {
		panic("user: derive a key: " + err.Error())
	}
	return k
}

// newToken is 256 random bits, with a prefix that scanners recognize.
func newToken(prefix string) string {
	var b [32]byte
	_, _ = rand.Read(b[:])
	body := prefix + base64.RawURLEncoding.EncodeToString(b[:])
	return body + fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(body)))
}

// mistyped tells whether a text looks like one of our tokens and has another
// checksum; what operators chose themselves has none.
func mistyped(token string) bool {
	at := len(token) - 8
	if !strings.HasPrefix(token, keyPrefix) && !strings.HasPrefix(token, sessionPrefix) || at != len(keyPrefix)+base64.RawURLEncoding.EncodedLen(32) {
		return false
	}
	return token[at:] != fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(token[:at])))
}

const (
	keyPrefix     = "atrk_"
	sessionPrefix = "atrs_"
	setupPrefix   = "atr1_"
)

// digest is how tokens and keys are kept.
func digest(token string) string {
	h := sha256.Sum256([]byte(token))
	return hex.EncodeToString(h[:])
}

// hasher bounds how many argon2id computations run and wait at once, so that a
// flood of sign-ins takes neither memory nor both cores.
type hasher struct {
	slots  chan struct{}
	queue  chan struct{}
	params *argon2id.Params
	dummy  func() string
}

func newHasher() *hasher {
	h := &hasher{
		slots: make(chan struct{}, 1), queue: make(chan struct{}, 64),
		params: &argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32},
	}
	h.dummy = sync.OnceValue(func() string {
		s, err := argon2id.CreateHash(rand.Text(), h.params)
		if err != nil {
			panic("user: hash a password: " + err.Error())
		}
		return s
	})
	return h
}

func (h *hasher) enter(ctx context.Context) (func(), error) {
	select {
	case h.queue <- struct{}{}:
	default:
		return nil, fail.TooMany("too many people are signing in right now; try again in a few seconds").After(5 * time.Second)
	}
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots; <-h.queue }, nil
	case <-ctx.Done():
		<-h.queue
		return nil, ctx.Err()
	}
}

func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	return argon2id.CreateHash(password, h.params)
}

// matches compares in the same time whether or not a hash is known.
func (h *hasher) matches(ctx context.Context, password, hash string) (bool, error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	known := hash != ""
	if !known {
		hash = h.dummy()
	}
	ok, err := argon2id.ComparePasswordAndHash(password, hash)
	return ok && known, err
}

// Sign-ins that failed or are under way are counted within a minute: of an
// account from one address, of an account, and of an address.
const (
	perPair    = 10
	perAccount = 50 // more than a pair's, so that nobody far away locks a person out easily
	perAddress = 60
)

func newAttempts() *limit.Window {
	return limit.New(time.Minute, "too many failed sign-ins; wait a minute and try again")
}

// attempt counts a sign-in, and refuses it when there were too many lately. It
// is taken back by calling succeeded.
func attempt(w *limit.Window, account, address string) (succeeded func(), err error) {
	most := map[string]int{"p " + account + " " + address: perPair, "u " + account: perAccount, "a " + address: perAddress}
	if err := w.Enter(most); err != nil {
		return nil, err
	}
	return func() {
		for key := range most {
			w.Forgive(key)
		}
	}, nil
}
