package signin_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// theIssuer is a small issuer that follows the standards over real HTTP: with
// discovery, authorization codes that work once, PKCE and signed ID tokens. It
// also speaks as GitHub and as Microsoft do. A test bends what it answers.
type theIssuer struct {
	*httptest.Server
	key *rsa.PrivateKey

	mu     sync.Mutex
	grants map[string]url.Values // by code: the authorization request
	claims jwt.MapClaims         // of the next tokens
	bend   bending
	asked  url.Values // the last authorization request
}

// bending is what goes wrong; nil fields leave it right.
type bending struct {
	Claims   func(jwt.MapClaims)
	Sign     func(jwt.MapClaims) string
	Metadata func(map[string]any)
	Userinfo map[string]any
	Emails   []map[string]any
	Down     bool // it answers 503
}

const (
	clientID     = "client"
	clientSecret = "issuer-knows-this"
	tenant       = "11111111-2222-3333-4444-555555555555"
)

var issuerKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func newTheIssuer(t *testing.T) *theIssuer {
	t.Helper()
	x := &theIssuer{key: issuerKey(), grants: map[string]url.Values{}}
	mux := http.NewServeMux()
	discovery := func(issuer func(*http.Request) string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			m := map[string]any{"issuer": issuer(r), "authorization_endpoint": x.URL + "/authorize", "token_endpoint": x.URL + "/token", "jwks_uri": x.URL + "/keys",
				"userinfo_endpoint": x.URL + "/userinfo", "id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"}}
			if f := x.bent().Metadata; f != nil {
				f(m)
			}
			writeJSON(w, m)
		}
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", discovery(func(*http.Request) string { return x.URL }))
	mux.HandleFunc("GET /{tenant}/v2.0/.well-known/openid-configuration", discovery(func(r *http.Request) string {
		if r.PathValue("tenant") == "organizations" {
			return x.URL + "/{tenantid}/v2.0"
		}
		return x.URL + "/" + tenant + "/v2.0"
	}))
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		b64 := base64.RawURLEncoding.EncodeToString
		writeJSON(w, map[string]any{"keys": []any{map[string]any{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1",
			"n": b64(x.key.N.Bytes()), "e": b64(big.NewInt(int64(x.key.E)).Bytes())}}})
	})
	mux.HandleFunc("GET /authorize", x.authorize)
	mux.HandleFunc("GET /login/oauth/authorize", x.authorize)
	mux.HandleFunc("POST /token", x.token)
	mux.HandleFunc("POST /login/oauth/access_token", x.token)
	mux.HandleFunc("GET /userinfo", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, x.bent().Userinfo) })
	mux.HandleFunc("GET /api/v3/user", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, map[string]any{"id": 4711, "name": "Ann Hub", "login": "ann"})
	})
	mux.HandleFunc("GET /api/v3/user/emails", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, x.bent().Emails) })
	x.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if x.bent().Down {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(x.Close)
	return x
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func (x *theIssuer) bent() bending {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.bend
}

// person sets who signs in next, and what goes wrong.
func (x *theIssuer) person(claims jwt.MapClaims, b bending) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.claims, x.bend = claims, b
}

// authorize knows the person already and lets them pass.
func (x *theIssuer) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("client_id") != clientID || q.Get("response_type") != "code" {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	code := rand.Text()
	x.mu.Lock()
	x.grants[code], x.asked = q, q
	x.mu.Unlock()
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {q.Get("state")}}.Encode(), http.StatusFound)
}

func (x *theIssuer) token(w http.ResponseWriter, r *http.Request) {
	id, secret, ok := r.BasicAuth()
	if !ok {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	x.mu.Lock()
	grant, known := x.grants[r.PostFormValue("code")]
	delete(x.grants, r.PostFormValue("code"))
	claims, bend := x.claims, x.bend
	x.mu.Unlock()
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	challenge := grant.Get("code_challenge")
	if id != clientID || secret != clientSecret || !known || grant.Get("redirect_uri") != r.PostFormValue("redirect_uri") ||
		challenge != "" && (grant.Get("code_challenge_method") != "S256" || challenge != base64.RawURLEncoding.EncodeToString(sum[:])) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
		return
	}
	out := map[string]any{"access_token": rand.Text(), "token_type": "Bearer", "expires_in": 3600}
	if !strings.Contains(r.URL.Path, "/login/oauth/") {
		out["id_token"] = x.idToken(claims, bend, grant.Get("nonce"))
	}
	writeJSON(w, out)
}

func (x *theIssuer) idToken(claims jwt.MapClaims, bend bending, nonce string) string {
	c := jwt.MapClaims{"iss": x.URL, "aud": clientID, "sub": "1", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
	if nonce != "" {
		c["nonce"] = nonce
	}
	maps.Copy(c, claims)
	if bend.Claims != nil {
		bend.Claims(c)
	}
	if bend.Sign != nil {
		return bend.Sign(c)
	}
	return x.sign(c, x.key)
}

func (x *theIssuer) sign(c jwt.MapClaims, key *rsa.PrivateKey) string {
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, c)
	t.Header["kid"] = "1"
	s, err := t.SignedString(key)
	if err != nil {
		panic(err)
	}
	return s
}
