package signin

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Provider is the server's registration at an issuer.
type Provider struct {
	Name         string // of a preset
	ClientID     string
	ClientSecret string
	Issuer       string // where the preset names none, or another
	Tenant       string // of microsoft
}

// Names are the presets.
func Names() []string { return []string{"microsoft", "google", "linkedin", "github", "okta", "oidc"} }

// presets are how known issuers differ from the standard.
var presets = map[string]struct {
	issuer  string
	plain   bool // knows neither a nonce nor PKCE
	oauth   bool // no OpenID Connect: asked through its own API
	tenants bool // one issuer for each of its tenants
}{
	"google":    {issuer: "https://accounts.google.com"},
	"microsoft": {issuer: "https://login.microsoftonline.com", tenants: true},
	"linkedin":  {issuer: "https://www.linkedin.com/oauth", plain: true},
	"github":    {issuer: "https://github.com", oauth: true},
	"okta":      {},
	"oidc":      {},
}

// DefaultIssuer is the preset's; empty when the operator has to name one.
func DefaultIssuer(name string) string { return presets[name].issuer }

// issuer is somebody who can tell who a person is.
type issuer struct {
	Provider
	client   *http.Client
	callback string
	plain    bool
	oauth    bool
	tenants  bool

	mu      sync.Mutex
	known   *metadata
	keys    oidc.KeySet
	read    time.Time
	failure error
	failed  time.Time
}

// metadata is what an issuer says of itself.
type metadata struct {
	Issuer   string   `json:"issuer"`
	AuthURL  string   `json:"authorization_endpoint"`
	TokenURL string   `json:"token_endpoint"`
	JWKSURL  string   `json:"jwks_uri"`
	UserInfo string   `json:"userinfo_endpoint"`
	Algs     []string `json:"id_token_signing_alg_values_supported"`
	Methods  []string `json:"token_endpoint_auth_methods_supported"`
}

const (
	anyTenant   = "organizations"
	metadataFor = time.Hour
	failureFor  = 3 * time.Second // so that a flood does not wait for an issuer that is down
	// consumers is Microsoft's tenant of personal accounts.
	consumers = "9188040d-6c67-4c5b-b112-36a304b66dad"
)

func newIssuer(p Provider, client *http.Client, publicURL string) *issuer {
	preset := presets[p.Name]
	if p.Issuer == "" {
		p.Issuer = preset.issuer
	}
	p.Issuer = strings.TrimRight(p.Issuer, "/")
	if preset.tenants {
		if p.Tenant == "" {
			p.Tenant = anyTenant
		}
		p.Issuer += "/" + url.PathEscape(p.Tenant) + "/v2.0"
	}
	return &issuer{Provider: p, client: client, callback: publicURL + "/auth-service/api/v2/sso/" + p.Name + "/callback",
		plain: preset.plain, oauth: preset.oauth, tenants: preset.tenants}
}

// with makes the libraries use our client.
func (i *issuer) with(ctx context.Context) context.Context { return oidc.ClientContext(ctx, i.client) }

// discover reads what the issuer says of itself, or remembers it. While the
// issuer is down, what it said last goes on.
func (i *issuer) discover(ctx context.Context) (metadata, oidc.KeySet, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.known != nil && time.Since(i.read) < metadataFor {
		return *i.known, i.keys, nil
	}
	if i.failure == nil || time.Since(i.failed) > failureFor {
		var m metadata
		if i.failure = i.readMetadata(ctx, &m); i.failure == nil {
			if i.known == nil || i.known.JWKSURL != m.JWKSURL {
				i.keys = oidc.NewRemoteKeySet(i.with(context.WithoutCancel(ctx)), m.JWKSURL)
			}
			i.known, i.read = &m, time.Now()
			return m, i.keys, nil
		}
		i.failed = time.Now()
	}
	if i.known != nil {
		return *i.known, i.keys, nil
	}
	return metadata{}, nil, i.failure
}

func (i *issuer) readMetadata(ctx context.Context, m *metadata) error {
	if i.oauth {
		*m = metadata{Issuer: i.Issuer, AuthURL: i.Issuer + "/login/oauth/authorize", TokenURL: i.Issuer + "/login/oauth/access_token", Methods: []string{"client_secret_post"}}
		return nil
	}
	if err := i.get(ctx, i.Issuer+"/.well-known/openid-configuration", "", m); err != nil {
		return err
	}
	same := strings.TrimRight(m.Issuer, "/") == i.Issuer
	if i.tenants { // names the tenant by its id, or by a placeholder
		a, errA := url.Parse(strings.ReplaceAll(m.Issuer, "{tenantid}", "x"))
		b, errB := url.Parse(i.Issuer)
		same = errA == nil && errB == nil && a.Scheme == b.Scheme && a.Host == b.Host
	}
	if !same {
		return unavailable(fmt.Errorf("it says that it is %q, not %q", m.Issuer, i.Issuer))
	}
	for _, address := range []string{m.AuthURL, m.TokenURL, m.JWKSURL} {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || u.Scheme != "https" && !strings.HasPrefix(i.Issuer, "http://") {
			return unavailable(fmt.Errorf("it gives the address %q, which is none to use", address))
		}
	}
	return nil
}

// get reads JSON from the issuer.
func (i *issuer) get(ctx context.Context, address, token string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return unavailable(err)
	}
	req.Header.Set("Accept", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := i.client.Do(req)
	if err != nil {
		return unavailable(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return unavailable(fmt.Errorf("it answers %s", res.Status))
	}
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		return unavailable(err)
	}
	return nil
}

func (i *issuer) oauth2(m metadata) *oauth2.Config {
	c := &oauth2.Config{ClientID: i.ClientID, ClientSecret: i.ClientSecret, RedirectURL: i.callback, Scopes: []string{oidc.ScopeOpenID, "email", "profile"},
		Endpoint: oauth2.Endpoint{AuthURL: m.AuthURL, TokenURL: m.TokenURL, AuthStyle: oauth2.AuthStyleInHeader}}
	if len(m.Methods) > 0 && !slices.Contains(m.Methods, "client_secret_basic") {
		c.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	if i.oauth {
		c.Scopes = []string{"read:user", "user:email"}
	}
	return c
}

// authorize is where the browser is sent.
func (i *issuer) authorize(ctx context.Context, state, nonce, verifier string) (string, error) {
	m, _, err := i.discover(ctx)
	if err != nil {
		return "", err
	}
	var opts []oauth2.AuthCodeOption
	if !i.plain {
		opts = append(opts, oauth2.S256ChallengeOption(verifier))
	}
	if !i.plain && !i.oauth {
		opts = append(opts, oidc.Nonce(nonce))
	}
	return i.oauth2(m).AuthCodeURL(state, opts...), nil
}

// vouched is whom an issuer vouches for.
type vouched struct {
	Issuer, Subject string
	Email           string
	Verified        bool // whether the address is theirs
	First, Last     string
}

// redeem turns the code of a callback into whom the issuer vouches for.
func (i *issuer) redeem(ctx context.Context, code, nonce, verifier string) (vouched, error) {
	m, _, err := i.discover(ctx)
	if err != nil {
		return vouched{}, err
	}
	var opts []oauth2.AuthCodeOption
	if !i.plain {
		opts = append(opts, oauth2.VerifierOption(verifier))
	}
	token, err := i.oauth2(m).Exchange(i.with(ctx), code, opts...)
	if err != nil {
		if r, ok := errors.AsType[*oauth2.RetrieveError](err); ok && (r.Response == nil || r.Response.StatusCode < 500) {
			return vouched{}, refused(err)
		}
		if _, ok := errors.AsType[*url.Error](err); !ok {
			if _, ok := errors.AsType[*oauth2.RetrieveError](err); !ok {
				return vouched{}, refused(err)
			}
		}
		return vouched{}, unavailable(err)
	}
	if i.oauth {
		return i.profile(ctx, token.AccessToken)
	}
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return vouched{}, refused(errors.New("the issuer sent no ID token"))
	}
	c, id, err := i.verify(ctx, raw)
	if err != nil {
		return vouched{}, err
	}
	if id.Nonce != "" || !i.plain {
		if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce)) != 1 {
			return vouched{}, refused(errors.New("the nonce is another one"))
		}
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(token.AccessToken); err != nil {
			return vouched{}, refused(err)
		}
	}
	if c.Email == "" && m.UserInfo != "" && !i.tenants {
		if err := i.more(ctx, m.UserInfo, token.AccessToken, &c); err != nil {
			return vouched{}, err
		}
	}
	return i.vouch(id.Issuer, c), nil
}

// more asks for what the ID token left out.
func (i *issuer) more(ctx context.Context, address, token string, c *claims) error {
	var info claims
	if err := i.get(ctx, address, token, &info); err != nil {
		return err
	}
	if info.Subject != c.Subject {
		return refused(errors.New("the issuer's user information is of somebody else"))
	}
	c.Email, c.EmailVerified = info.Email, info.EmailVerified
	if c.Given == "" && c.Family == "" && c.Name == "" {
		c.Given, c.Family, c.Name = info.Given, info.Family, info.Name
	}
	return nil
}

// claims are what we read of an ID token.
type claims struct {
	Subject       string `json:"sub"`
	Email         string `json:"email"`
	EmailVerified yes    `json:"email_verified"`
	DomainOwned   yes    `json:"xms_edov"` // Microsoft: the address's domain was proved to be the tenant's
	Username      string `json:"preferred_username"`
	Name          string `json:"name"`
	Given         string `json:"given_name"`
	Family        string `json:"family_name"`
	Tenant        string `json:"tid"`
	Authorized    string `json:"azp"`
}

// yes is true in any of the spellings that issuers use.
type yes bool

// UnmarshalJSON takes anything else for no.
func (y *yes) UnmarshalJSON(b []byte) error {
	s := strings.ToLower(strings.Trim(string(b), `"`))
	*y = s == "true" || s == "1"
	return nil
}

// asymmetric are the algorithms that an ID token may be signed with; with a
// shared secret, or none, anybody who knows it could.
var asymmetric = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA}

// watched tells an issuer that is down from a signature that is wrong.
type watched struct {
	oidc.KeySet
	down error
}

func (w *watched) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	b, err := w.KeySet.VerifySignature(ctx, jwt)
	if _, ok := errors.AsType[*url.Error](err); ok {
		w.down = err
	}
	return b, err
}

var tenantID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// verify checks an ID token: signature, algorithm, issuer, audience and time.
func (i *issuer) verify(ctx context.Context, raw string) (claims, *oidc.IDToken, error) {
	var c claims
	m, set, err := i.discover(ctx)
	if err != nil {
		return c, nil, err
	}
	algs := slices.DeleteFunc(slices.Clone(m.Algs), func(a string) bool { return !slices.Contains(asymmetric, a) })
	keys := &watched{KeySet: set}
	id, err := oidc.NewVerifier(m.Issuer, keys, &oidc.Config{ClientID: i.ClientID, SupportedSigningAlgs: algs, SkipIssuerCheck: i.tenants}).Verify(i.with(ctx), raw)
	if keys.down != nil {
		return c, nil, unavailable(keys.down)
	}
	if err == nil {
		err = id.Claims(&c)
	}
	if err == nil {
		err = i.check(m, id, c)
	}
	if err != nil {
		return c, nil, refused(err)
	}
	return c, id, nil
}

// check is what the standard demands beyond the library.
func (i *issuer) check(m metadata, id *oidc.IDToken, c claims) error {
	switch {
	case id.Subject == "" || len(id.Subject) > 255:
		return errors.New("the subject is missing or too long")
	case c.Authorized != "" && c.Authorized != i.ClientID, len(id.Audience) > 1 && c.Authorized == "":
		return fmt.Errorf("the token was made for %q", c.Authorized)
	case !i.tenants:
		return nil
	case !tenantID.MatchString(c.Tenant) || strings.ReplaceAll(m.Issuer, "{tenantid}", c.Tenant) != id.Issuer:
		return fmt.Errorf("the issuer %q is not that of the tenant %q", id.Issuer, c.Tenant)
	case i.Tenant == anyTenant && c.Tenant == consumers:
		return errors.New("personal accounts are not let in, only organizations")
	}
	return nil
}

// vouch is whom the claims name. Microsoft's address is whatever a tenant's
// administrator wrote, so another tenant's counts only when Microsoft says that
// the domain is its own.
func (i *issuer) vouch(iss string, c claims) vouched {
	v := vouched{Issuer: iss, Subject: c.Subject, Email: c.Email, Verified: bool(c.EmailVerified), First: c.Given, Last: c.Family}
	if i.tenants {
		ownTenant := !slices.Contains([]string{anyTenant, "common", "consumers"}, i.Tenant)
		v.Verified = bool(c.DomainOwned) || ownTenant
		if v.Email == "" && ownTenant {
			v.Email = c.Username
		}
	}
	if v.First == "" && v.Last == "" {
		v.First, v.Last, _ = strings.Cut(strings.TrimSpace(c.Name), " ")
	}
	return v
}

// profile asks GitHub's API who an access token is of.
func (i *issuer) profile(ctx context.Context, token string) (vouched, error) {
	base := i.Issuer + "/api/v3" // GitHub Enterprise
	if i.Issuer == presets["github"].issuer {
		base = "https://api.github.com"
	}
	var who struct {
		ID   int64  `json:"id"`
		Name string `json:"name"`
	}
	var emails []struct {
		Email    string `json:"email"`
		Primary  bool   `json:"primary"`
		Verified bool   `json:"verified"`
	}
	if err := errors.Join(i.get(ctx, base+"/user", token, &who), i.get(ctx, base+"/user/emails", token, &emails)); err != nil {
		return vouched{}, err
	}
	if who.ID == 0 {
		return vouched{}, refused(errors.New("GitHub does not say who it is"))
	}
	v := vouched{Issuer: i.Issuer, Subject: strconv.FormatInt(who.ID, 10)}
	v.First, v.Last, _ = strings.Cut(strings.TrimSpace(who.Name), " ")
	for _, e := range emails {
		if e.Primary {
			v.Email, v.Verified = e.Email, e.Verified
		}
	}
	return v, nil
}
