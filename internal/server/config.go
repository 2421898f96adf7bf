package server

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"atrium/internal/blob/s3"
	"atrium/internal/extract/ocr"
	"atrium/internal/secret"
)

// Config is all that an operator can set. Names of flags, environment
// variables (ATRIUM_ before them) and keys in atrium.yaml are the koanf names.
type Config struct {
	Listen        string `koanf:"listen"`          // host:port
	Data          string `koanf:"data"`            // folder
	DatabaseURL   string `koanf:"database_url"`    // empty: SQLite in the data folder
	PublicURL     string `koanf:"public_url"`      // what people type; empty: made of Listen
	OrgName       string `koanf:"org_name"`        // of the first organization
	AdminEmail    string `koanf:"admin_email"`     // of the first admin
	AdminPassword string `koanf:"admin_password"`  // empty: chosen with a one-time token
	APIKey        string `koanf:"api_key"`         // the first organization's key
	AppSecret     string `koanf:"app_secret"`      // of /user-token
	MasterKey     string `koanf:"master_key"`      // 32 bytes, hex or base64; empty: a file in the data folder
	RequireAPIKey bool   `koanf:"require_api_key"` // whether a token needs an API key beside it
	LLM           Model  `koanf:"llm"`
	Embed         Model  `koanf:"embed"`
	Rerank        Model  `koanf:"rerank"`
	EgressAllow   string `koanf:"egress_allow"`  // private networks that fetching may reach, as CIDR, comma-separated
	MaxUpload     int64  `koanf:"max_upload"`    // bytes
	Vectors       string `koanf:"vectors"`       // where they are searched: memory or pgvector
	OCRLanguages  string `koanf:"ocr_languages"` // of scanned pages, as tesseract names them, joined by +; empty: the installed ones

	TrustedProxies string      `koanf:"trusted_proxies"` // reverse proxies that say whom they speak for, as CIDR, comma-separated
	BlobURL        string      `koanf:"blob_url"`        // s3://… for the files; empty: the data folder
	BlobAccessKey  string      `koanf:"blob_access_key"` // of the bucket
	BlobSecretKey  secret.Text `koanf:"blob_secret_key"` //

	SMTPURL          secret.Text `koanf:"smtp_url"`          // where mails are handed in; empty: none are sent
	MailFrom         string      `koanf:"mail_from"`         // who they are from
	SSOGoogle        SSO         `koanf:"sso_google"`        // and the other issuers
	SSOMicrosoft     SSO         `koanf:"sso_microsoft"`     //
	SSOLinkedIn      SSO         `koanf:"sso_linkedin"`      //
	SSOGitHub        SSO         `koanf:"sso_github"`        //
	SSOOkta          SSO         `koanf:"sso_okta"`          //
	SSOOIDC          SSO         `koanf:"sso_oidc"`          // any other
	SSOCreateUsers   bool        `koanf:"sso_create_users"`  // whether an issuer's word makes a User of somebody with the organization's domain
	OpenRegistration bool        `koanf:"open_registration"` // whether people with the organization's domain may make accounts

	LogLevel  string `koanf:"log_level"`  // debug, info, warn, error
	LogFormat string `koanf:"log_format"` // text, json

	// OpenAIKey and AnthropicKey come from the variables that other programs
	// use too, and choose the provider when LLM names none.
	OpenAIKey    string `koanf:"-"`
	AnthropicKey string `koanf:"-"`
	// ModelAllow opens private networks to the models that people configure;
	// only tests set it.
	ModelAllow []netip.Prefix `koanf:"-"`
}

// Model is an endpoint for answers, for vectors or for the order of passages.
type Model struct {
	BaseURL string `koanf:"base_url"`
	APIKey  string `koanf:"api_key"`
	Model   string `koanf:"model"`
	// Prices in US dollars a million tokens, for the cost of answers.
	PromptPrice     float64 `koanf:"prompt_price"`
	CompletionPrice float64 `koanf:"completion_price"`
}

// SSO is the server's registration at an issuer of identities.
type SSO struct {
	ClientID     string      `koanf:"client_id"`
	ClientSecret secret.Text `koanf:"client_secret"`
	Issuer       string      `koanf:"issuer"` // of okta and oidc; elsewhere instead of the usual one
	Tenant       string      `koanf:"tenant"` // of microsoft
}

// Defaults are the settings of a server that nobody has set anything for.
func Defaults() Config {
	return Config{
		Listen: "127.0.0.1:8080", Data: "./data", OrgName: "My organization", AdminEmail: "admin@localhost",
		RequireAPIKey: true, SSOCreateUsers: true, MaxUpload: 256 << 20, Vectors: vectorsMemory, LogLevel: "info", LogFormat: "text",
	}
}

const minSecret = 16

// Check finds every setting that is wrong or unsafe, in words.
func (c *Config) Check() error {
	var errs []error
	say := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		say("ATRIUM_LISTEN %q is not host:port, such as 127.0.0.1:8080", c.Listen)
	}
	if c.Data == "" {
		say("ATRIUM_DATA is empty; name a folder, such as ./data")
	}
	if c.DatabaseURL != "" && !strings.HasPrefix(c.DatabaseURL, "postgres://") && !strings.HasPrefix(c.DatabaseURL, "postgresql://") {
		say("ATRIUM_DATABASE_URL must begin with postgres://, or be empty for SQLite")
	}
	if c.PublicURL == "" && err == nil {
		c.PublicURL = "http://" + net.JoinHostPort(publicHost(host), port)
	}
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	if u, err := url.Parse(c.PublicURL); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" {
		say("ATRIUM_PUBLIC_URL %q is not an address, such as https://atrium.example.com", c.PublicURL)
	}
	for name, secret := range map[string]string{"ATRIUM_API_KEY": c.APIKey, "ATRIUM_APP_SECRET": c.AppSecret} {
		if secret != "" && len(secret) < minSecret {
			say("%s is shorter than %d characters and could be guessed; use a longer one", name, minSecret)
		}
	}
	if c.APIKey != "" && c.APIKey == c.AppSecret {
		say("ATRIUM_API_KEY and ATRIUM_APP_SECRET are the same; the secret must be known to fewer programs than the key")
	}
	if c.MasterKey != "" {
		if _, err := decodeKey(c.MasterKey); err != nil {
			say("ATRIUM_MASTER_KEY: %w", err)
		}
	}
	if c.BlobURL != "" {
		if err := s3.Check(c.BlobURL); err != nil {
			say("ATRIUM_BLOB_URL: %w", err)
		}
		if c.BlobAccessKey == "" || c.BlobSecretKey == "" {
			say("ATRIUM_BLOB_URL is set but ATRIUM_BLOB_ACCESS_KEY or ATRIUM_BLOB_SECRET_KEY is not")
		}
	}
	for name, m := range map[string]Model{"ATRIUM_LLM": c.LLM, "ATRIUM_EMBED": c.Embed, "ATRIUM_RERANK": c.Rerank} {
		if err := m.check(name); err != nil {
			errs = append(errs, err)
		}
	}
	if err := c.checkVectors(); err != nil {
		errs = append(errs, err)
	}
	for _, check := range []func() error{c.checkEmbed, c.checkRerank} {
		if err := check(); err != nil {
			errs = append(errs, err)
		}
	}
	for _, list := range []func() ([]netip.Prefix, error){c.allowed, c.proxies} {
		if _, err := list(); err != nil {
			errs = append(errs, err)
		}
	}
	if _, err := ocr.Parse(c.OCRLanguages); err != nil {
		say("ATRIUM_OCR_LANGUAGES %w", err)
	}
	if c.MaxUpload < 1<<20 {
		say("ATRIUM_MAX_UPLOAD is below 1 MiB; it is a number of bytes")
	}
	return errors.Join(append(errs, c.checkSignIn()...)...)
}

func publicHost(host string) string {
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		return "localhost"
	}
	return host
}

func (m Model) check(name string) error {
	if m.BaseURL == "" {
		return nil
	}
	u, err := url.Parse(m.BaseURL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return fmt.Errorf("%s_BASE_URL %q is not an address, such as https://api.example.com/v1", name, m.BaseURL)
	}
	if u.User != nil {
		return fmt.Errorf("%s_BASE_URL holds a password, which would be logged; use %s_API_KEY", name, name)
	}
	if u.Scheme == "http" && m.APIKey != "" && !private(u.Hostname()) {
		return fmt.Errorf("%s_BASE_URL would send %s_API_KEY unencrypted over the internet; use https", name, name)
	}
	return nil
}

// private tells whether a host is this machine or plainly of a private network.
func private(host string) bool {
	if host == "localhost" || !strings.Contains(host, ".") && !strings.Contains(host, ":") || strings.HasSuffix(host, ".local") || strings.HasSuffix(host, ".internal") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && (ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast())
}

// allowed are the private networks that fetching may reach.
func (c *Config) allowed() ([]netip.Prefix, error) {
	return networks("ATRIUM_EGRESS_ALLOW", c.EgressAllow)
}

// proxies are the reverse proxies whose word is taken.
func (c *Config) proxies() ([]netip.Prefix, error) {
	return networks("ATRIUM_TRUSTED_PROXIES", c.TrustedProxies)
}

// networks reads addresses and networks; one that holds all others is refused.
func networks(setting, list string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for s := range strings.SplitSeq(list, ",") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		p, err := netip.ParsePrefix(s)
		if err != nil {
			ip, err2 := netip.ParseAddr(s)
			if err2 != nil {
				return nil, fmt.Errorf("%s: %q is not a network, such as 10.20.0.0/16", setting, s)
			}
			p = netip.PrefixFrom(ip, ip.BitLen())
		}
		if p.Bits() == 0 {
			return nil, fmt.Errorf("%s: %q is every address there is; name the ones that are meant", setting, s)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// listensBeyondLoopback tells whether others can reach the server.
func (c *Config) listensBeyondLoopback() bool {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return true
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host != "localhost"
	}
	return !ip.IsLoopback()
}

func decodeKey(s string) ([]byte, error) {
	for _, decode := range []func(string) ([]byte, error){hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawURLEncoding.DecodeString} {
		if b, err := decode(s); err == nil && len(b) == 32 {
			return b, nil
		}
	}
	return nil, errors.New("not 32 bytes as hex or base64; make one with: openssl rand -hex 32")
}
