package server

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"atrium/internal/egress"
	"atrium/internal/mail"
	"atrium/internal/signin"
)

// issuers are the registrations by name.
func (c *Config) issuers() map[string]SSO {
	return map[string]SSO{"google": c.SSOGoogle, "microsoft": c.SSOMicrosoft, "linkedin": c.SSOLinkedIn, "github": c.SSOGitHub, "okta": c.SSOOkta, "oidc": c.SSOOIDC}
}

// providers are the registrations that are set.
func (c *Config) providers() []signin.Provider {
	var out []signin.Provider
	all := c.issuers()
	for _, name := range signin.Names() {
		if p := all[name]; p.ClientID != "" {
			out = append(out, signin.Provider{Name: name, ClientID: p.ClientID, ClientSecret: string(p.ClientSecret), Issuer: p.Issuer, Tenant: p.Tenant})
		}
	}
	return out
}

// checkSignIn finds what is wrong with mail and issuers.
func (c *Config) checkSignIn() []error {
	var errs []error
	say := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.SMTPURL != "" {
		if err := mail.Check(string(c.SMTPURL), c.MailFrom); err != nil {
			say("ATRIUM_SMTP_URL and ATRIUM_MAIL_FROM: %w", err)
		}
	} else if c.MailFrom != "" {
		say("ATRIUM_MAIL_FROM is set but ATRIUM_SMTP_URL is not; give the mail server's address")
	}
	if c.OpenRegistration && c.SMTPURL == "" {
		say("ATRIUM_OPEN_REGISTRATION is on but ATRIUM_SMTP_URL is not set; addresses are proved by mail")
	}
	all := c.issuers()
	for _, name := range signin.Names() {
		p, setting := all[name], "ATRIUM_SSO_"+strings.ToUpper(name)
		if p == (SSO{}) {
			continue
		}
		if p.ClientID == "" || p.ClientSecret == "" {
			say("%s_CLIENT_ID and %s_CLIENT_SECRET belong together; set both or none", setting, setting)
		}
		switch u, err := url.Parse(p.Issuer); {
		case p.Issuer == "" && signin.DefaultIssuer(name) == "":
			say("%s_ISSUER is not set; give the issuer's address, such as https://example.okta.com", setting)
		case p.Issuer == "":
		case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Scheme != "https" && (u.Scheme != "http" || !private(u.Hostname())):
			say("%s_ISSUER %q is not the address of an issuer, such as https://example.okta.com; http is for a private network only", setting, p.Issuer)
		}
		if p.Tenant != "" && name != "microsoft" {
			say("%s_TENANT means nothing; only Microsoft has tenants", setting)
		}
	}
	return errs
}

// DescribeMail says in words how mails are sent; ok is false when they are not.
func DescribeMail(c Config) (text string, ok bool) {
	s, err := mail.New(mail.Options{URL: string(c.SMTPURL), From: c.MailFrom})
	if err != nil {
		return "none: no invitations, codes or new passwords are sent; set ATRIUM_SMTP_URL and ATRIUM_MAIL_FROM", false
	}
	return "through " + s.Host() + " as " + c.MailFrom, true
}

// DescribeSSO says in words where people can sign in; ok is false when nowhere.
func DescribeSSO(c Config) (text string, ok bool) {
	var names []string
	for _, p := range c.providers() {
		names = append(names, p.Name)
	}
	if len(names) == 0 {
		return "none: people sign in by password or mail; set ATRIUM_SSO_…_CLIENT_ID and _CLIENT_SECRET", false
	}
	slices.Sort(names)
	return strings.Join(names, ", ") + "; each calls back at " + c.PublicURL + "/auth-service/api/v2/sso/NAME/callback", true
}

// newSignIn makes every way to sign in but the password.
func (s *Server) newSignIn(masterKey []byte) (*signin.SignIn, error) {
	c := s.cfg
	o := signin.Options{DB: s.db, Jobs: s.jobs, Users: s.users, Client: s.guard.Operator(egress.Limits{Timeout: 10 * time.Second, MaxBytes: 1 << 20}), Providers: c.providers(),
		CreateUsers: c.SSOCreateUsers, OpenRegistration: c.OpenRegistration, PublicURL: c.PublicURL, MasterKey: masterKey, Log: s.log}
	if c.SMTPURL != "" {
		m, err := mail.New(mail.Options{URL: string(c.SMTPURL), From: c.MailFrom, Dial: s.guard.Dial})
		if err != nil {
			return nil, err
		}
		o.Mail = m
	}
	return signin.New(o), nil
}
