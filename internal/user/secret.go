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
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/argon2id"

	"atrium/internal/fail"
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

// attempts counts sign-ins that failed or are under way, in a sliding minute:
// of an account from one address, of an account, and of an address.
type attempts struct {
	mu   sync.Mutex
	seen map[string][]time.Time
}

const (
	perPair    = 10
	perAccount = 50 // more than a pair's, so that nobody far away locks a person out easily
	perAddress = 60
)

func newAttempts() *attempts { return &attempts{seen: map[string][]time.Time{}} }

// begin counts an attempt, and refuses it when there were too many lately. The
// attempt is taken back by calling succeeded.
func (a *attempts) begin(account, address string) (succeeded func(), err error) {
	limits := map[string]int{"p " + account + " " + address: perPair, "u " + account: perAccount, "a " + address: perAddress}
	a.mu.Lock()
	defer a.mu.Unlock()
	for key, limit := range limits {
		if recent := a.recent(key); len(recent) >= limit {
			return nil, fail.TooMany("too many failed sign-ins; wait a minute and try again").After(time.Until(recent[0].Add(time.Minute)))
		}
	}
	now := time.Now()
	for key := range limits {
		a.seen[key] = append(a.seen[key], now)
	}
	if len(a.seen) > 10_000 {
		for key := range a.seen {
			a.recent(key)
		}
	}
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		for key := range limits {
			if i := slices.Index(a.seen[key], now); i >= 0 {
				a.seen[key] = slices.Delete(a.seen[key], i, i+1)
			}
		}
	}, nil
}

// recent forgets what is older than a minute.
func (a *attempts) recent(key string) []time.Time {
	all := a.seen[key]
	for len(all) > 0 && time.Since(all[0]) > time.Minute {
		all = all[1:]
	}
	if len(all) == 0 {
		delete(a.seen, key)
	} else {
		a.seen[key] = all
	}
	return all
}
