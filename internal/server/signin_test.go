package server_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"atrium/internal/mail/mailtest"
	hidden "atrium/internal/secret"
	"atrium/internal/server"
	"atrium/internal/server/servertest"
)

// The settings lead to a mail that arrives, whose link lets somebody in.
func TestSomebodyIsInvitedByMailAndComesIn(t *testing.T) {
	t.Parallel()
	for _, e := range servertest.Engines {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			inbox := mailtest.New(t)
			h := servertest.Start(t, e, func(c *server.Config) {
				c.SMTPURL, c.MailFrom = hidden.Text(inbox.URL()), "Atrium <atrium@example.com>"
			})
			admin := h.Admin(t)
			org := admin.Do("GET", "/api/v2/users/me", nil).Want(t, 200).ID("data.organization.id")
			admin.Do("POST", fmt.Sprintf("/api/v2/organizations/%d/users", org), map[string]any{"email": "new@example.com"}).Want(t, 201)
			link, err := url.Parse(inbox.Next(t).Link())
			if err != nil || !strings.HasPrefix(link.String(), h.URL+"/sign-in/invitation?") {
				t.Fatalf("the link is %s", link)
			}
			c := h.Anonymous(t)
			in := c.Do("POST", "/auth-service/api/v2/users/accept-invitation", map[string]any{"token": link.Query().Get("token"), "password": servertest.AdminPassword}).Want(t, 200)
			c.With("Authorization", "Bearer "+in.String("data.ejento_access_token")).With("Ocp-Apim-Subscription-Key", servertest.APIKey).Do("GET", "/api/v2/users/me", nil).Want(t, 200)
		})
	}
}

func TestSettingsOfMailAndIssuersAreCheckedInWords(t *testing.T) {
	good := map[string]string{"ATRIUM_SMTP_URL": "smtp://u:hidden-1@mail.example.com", "ATRIUM_MAIL_FROM": "a@example.com", "ATRIUM_SSO_GOOGLE_CLIENT_ID": "id", "ATRIUM_SSO_GOOGLE_CLIENT_SECRET": "hidden-2",
		"ATRIUM_SSO_OKTA_CLIENT_ID": "id", "ATRIUM_SSO_OKTA_CLIENT_SECRET": "hidden-3", "ATRIUM_SSO_OKTA_ISSUER": "https://example.okta.com", "ATRIUM_SSO_MICROSOFT_CLIENT_ID": "id",
		"ATRIUM_SSO_MICROSOFT_CLIENT_SECRET": "hidden-4", "ATRIUM_SSO_MICROSOFT_TENANT": "example.com", "ATRIUM_SSO_CREATE_USERS": "false", "ATRIUM_OPEN_REGISTRATION": "true"}
	for _, tt := range []struct{ set, to, want string }{
		{"ATRIUM_LOG_LEVEL", "info", ""},
		{"ATRIUM_SMTP_URL", "mail.example.com", "not like smtp://"},
		{"ATRIUM_MAIL_FROM", "nobody", "is not an address"},
		{"ATRIUM_SSO_GOOGLE_CLIENT_SECRET", "", "belong together"},
		{"ATRIUM_SSO_GOOGLE_CLIENT_ID", "", "belong together"},
		{"ATRIUM_SSO_OKTA_ISSUER", "", "ATRIUM_SSO_OKTA_ISSUER is not set"},
		{"ATRIUM_SSO_OKTA_ISSUER", "http://example.okta.com", "http is for a private network only"},
		{"ATRIUM_SSO_OKTA_ISSUER", "ftp://x", "is not the address of an issuer"},
		{"ATRIUM_SSO_GOOGLE_TENANT", "x", "only Microsoft has tenants"},
		{"ATRIUM_SSO_EVIL_CLIENT_ID", "x", "there is no setting"},
		{"ATRIUM_SSO_GOOGLE_CLIENT_KEY", "x", "there is no setting"},
	} {
		t.Run(tt.set+"="+tt.to, func(t *testing.T) {
			for k, v := range good {
				t.Setenv(k, v)
			}
			t.Setenv(tt.set, tt.to)
			c, err := server.Load("", nil)
			if err == nil {
				err = c.Check()
			}
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("it says %v, want %q", err, tt.want)
			}
			if said := fmt.Sprintf("%v %+v %#v %v", c, c, c, err); strings.Contains(said, "hidden-") {
				t.Errorf("a secret is shown: %s", said)
			}
		})
	}
}
