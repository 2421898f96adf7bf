package user

import (
	"context"
	"net/http"

	"atrium/internal/api"
	"atrium/internal/authz"
)

type credentials struct {
	Console string `header:"X-Atrium-Console" enum:"1" doc:"Sent by the console: the session also comes as an HttpOnly cookie."`
	Body    struct {
		Username string `json:"username" minLength:"1" maxLength:"254" doc:"The e-mail address."`
		Password string `json:"password" minLength:"1" maxLength:"1000"`
	} `contentType:"application/x-www-form-urlencoded"`
}

type refreshing struct {
	Authorization string `header:"Authorization" doc:"Bearer, with the access_token of sign-in."`
}

type setup struct {
	Console string `header:"X-Atrium-Console" enum:"1" doc:"Sent by the console: the session also comes as an HttpOnly cookie."`
	Body    struct {
		Token    string `json:"token" minLength:"1" maxLength:"200" doc:"From the address that the server printed at its first start."`
		Password string `json:"password" minLength:"8" maxLength:"256" pattern:"([a-z].*[A-Z])|([A-Z].*[a-z])" patternDescription:"upper and lower case letters" doc:"At least 8 characters, upper and lower case."`
	}
}

type appUser struct {
	Secret string `header:"ejento-auth-key" doc:"The application secret."`
	Body   struct {
		Email    string `json:"email" minLength:"3" maxLength:"254"`
		FullName string `json:"full_name,omitempty" maxLength:"200"`
	}
}

type registering struct{ Body Registration }

type passwords struct {
	Body struct {
		Current string `json:"current_password" minLength:"1" maxLength:"1000"`
		New     string `json:"new_password" minLength:"8" maxLength:"256" doc:"At least 8 characters, upper and lower case, and on no list of leaked passwords."`
	}
}

type keyList struct{ api.Paging }

type keyDraft struct{ Body KeyDraft }

type keyID struct {
	ID int64 `path:"api_key_id" minimum:"1"`
}

// Mount declares the operations.
func (u *Users) Mount(a *api.API) {
	api.Do(a, api.Op{ID: "signIn", Route: "POST /auth-service/api/v2/login/access-token", Title: "Authenticate User", Group: "Authentication",
		Doc:     "Checks an e-mail address and a password and answers two tokens, which are not interchangeable.",
		Message: "Signed in", Needs: authz.Public("it is how one gets credentials")},
		func(ctx context.Context, in *credentials) (Tokens, error) {
			t, err := u.SignIn(ctx, in.Body.Username, in.Body.Password, By(ctx, "password"))
			if err == nil && in.Console != "" {
				u.GiveCookie(ctx, t)
			}
			return t, err
		})
	api.Do(a, api.Op{ID: "refreshAccessToken", Route: "POST /auth-service/api/v2/users/refresh-access-token", Title: "Refresh Access Token", Group: "Authentication",
		Doc:     "Replaces both tokens. The replaced platform token works for a minute more; using a replaced access token again ends the whole session.",
		Message: "Refreshed", Needs: authz.Public("the access token in the Authorization header is checked by the operation itself")},
		func(ctx context.Context, in *refreshing) (Tokens, error) {
			r := &http.Request{Header: http.Header{"Authorization": {in.Authorization}}}
			access, _ := bearerOf(r)
			return u.Refresh(ctx, access, api.RemoteIP(ctx))
		})
	api.Do(a, api.Op{ID: "setUpServer", Route: "POST /auth-service/api/v2/setup", Title: "Choose the first password", Group: "Authentication",
		Doc:     "Uses the one-time token that the server printed at its first start.",
		Message: "Signed in", Needs: authz.Public("the one-time token in the body is the proof")},
		func(ctx context.Context, in *setup) (Tokens, error) {
			t, err := u.Setup(ctx, in.Body.Token, in.Body.Password, By(ctx, "setup"))
			if err == nil && in.Console != "" {
				u.GiveCookie(ctx, t)
			}
			return t, err
		})
	api.None(a, api.Op{ID: "signOut", Route: "POST /auth-service/api/v2/logout", Title: "Sign out", Group: "Authentication",
		Doc: "Ends the session that is used, and takes the console's cookie away.", NoKey: true,
		Message: "Signed out", Needs: authz.To(authz.Delete, authz.Session)},
		func(ctx context.Context, _ *struct{}) error {
			u.takeCookie(ctx)
			return u.SignOut(ctx, authz.From(ctx))
		})
	api.Do(a, api.Op{ID: "createUserToken", Route: "POST /user-token", Title: "Get a token for a user of an application", Group: "Authentication", Status: http.StatusCreated, Bare: true,
		Doc:   "For a chat bot that knows the application secret: answers a platform token of the person, who is created when unknown.",
		Needs: authz.Public("the application secret in the header is the proof")},
		func(ctx context.Context, in *appUser) (AppToken, error) {
			return u.TokenFor(ctx, in.Secret, in.Body.Email, in.Body.FullName, By(ctx, "application"))
		})
	api.None(a, api.Op{ID: "registerUser", Route: "POST /auth-service/api/v2/users/register", Title: "Register User", Group: "Authentication", Status: http.StatusAccepted,
		Doc:     "Makes an account in the organization that has the domain of the address, where the server allows it. The account is active once the link is followed that is mailed to the address. Answers alike whether or not the address is known.",
		Message: "If this address may register here, a mail to it tells how to go on", Needs: authz.Public("it is how one gets an account, where the server's settings allow it")},
		func(ctx context.Context, in *registering) error {
			return u.Register(ctx, in.Body, api.RemoteIP(ctx))
		})
	api.None(a, api.Op{ID: "updateOwnPassword", Route: "PATCH /auth-service/api/v2/users/me/password", Title: "Update Own Password", Group: "Authentication", NoKey: true,
		Doc:     "Ends all your other sessions.",
		Message: "Password changed", Needs: authz.To(authz.Edit, authz.User)},
		func(ctx context.Context, in *passwords) error {
			return u.ChangePassword(ctx, authz.From(ctx), in.Body.Current, in.Body.New, api.RemoteIP(ctx))
		})
	u.mountPeople(a)
	u.mountPermissions(a)
	u.mountSessions(a)
	api.Many(a, api.Op{ID: "listAPIKeys", Route: "GET /api/v2/api-keys", Title: "Get your API keys", Group: "API Keys", Feature: "developer-portal", Doc: "Your own keys, without their secrets; revoked ones are left out.", Sort: []string{"created_on", "name", "last_used_on"},
		Needs: authz.To(authz.View, authz.APIKey)}, "api_keys",
		func(ctx context.Context, in *keyList) ([]Key, int, error) {
			return u.Keys(ctx, authz.From(ctx), in.Paging)
		})
	api.Do(a, api.Op{ID: "createAPIKey", Route: "POST /api/v2/api-keys", Title: "Create an API key", Group: "API Keys", Feature: "developer-portal", Status: http.StatusCreated,
		Doc: "The key is shown this once. Alone as the bearer it acts as you; beside another user's token it names the calling application.", Message: "API key created",
		Needs: authz.To(authz.Create, authz.APIKey)},
		func(ctx context.Context, in *keyDraft) (NewKey, error) {
			return u.CreateKey(ctx, authz.From(ctx), in.Body)
		})
	api.None(a, api.Op{ID: "revokeAPIKey", Route: "DELETE /api/v2/api-keys/{api_key_id}", Title: "Revoke an API key", Group: "API Keys", Doc: "The key stops working at once.", Message: "API key revoked",
		Needs: authz.To(authz.Delete, authz.APIKey)},
		func(ctx context.Context, in *keyID) error { return u.RevokeKey(ctx, authz.From(ctx), in.ID) })
}

// GiveCookie makes the console carry the session of a sign-in.
func (u *Users) GiveCookie(ctx context.Context, t Tokens) {
	u.setCookie(ctx, t.PlatformToken, t.ExpiresIn)
}

func (u *Users) takeCookie(ctx context.Context) {
	u.setCookie(ctx, "", -1)
}

func (u *Users) setCookie(ctx context.Context, value string, maxAge int) {
	api.SetCookie(ctx, &http.Cookie{Name: cookieName, Value: value, Path: "/", MaxAge: maxAge, //nolint:gosec // without TLS, as on one's own machine, a browser refuses Secure
		HttpOnly: true, Secure: u.secure, SameSite: http.SameSiteStrictMode})
}
