package user

import (
	"github.com/golang-jwt/jwt/v5"
)

// Sign signs claims as the server does.
func (u *Users) Sign(c jwt.Claims) string {
	s, err := jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(u.signKey)
	if err != nil {
		panic(err)
	}
	return s
}

// FillHashing takes every place in the queue for hashing, until it is called back.
func (u *Users) FillHashing() (empty func()) {
	u.hashing.slots <- struct{}{}
	for range cap(u.hashing.queue) {
		u.hashing.queue <- struct{}{}
	}
	return func() {
		for range cap(u.hashing.queue) {
			<-u.hashing.queue
		}
		<-u.hashing.slots
	}
}

// Leaked is how many leaked passwords are known.
func Leaked() int { return len(leaked()) }

// Check holds a password to the rules.
func Check(p string) error { return checkPassword(p, "password") }

// WriteLastUse writes what is gathered.
func (u *Users) WriteLastUse() { u.writeLastUse() }

// Attempts counts sign-ins like a server's.
func Attempts() func(account, address string) (succeeded func(), err error) {
	w := newAttempts()
	return func(account, address string) (func(), error) { return attempt(w, account, address) }
}
