package signin

import (
	"context"

	"atrium/internal/api"
	"atrium/internal/authz"
	"atrium/internal/user"
)

// Console is embedded where a sign-in may answer a cookie too.
type Console struct {
	Console string `header:"X-Atrium-Console" enum:"1" doc:"Sent by the console: the session also comes as an HttpOnly cookie."`
}

// Token is a token as it was mailed.
type Token struct {
	Token string `json:"token" minLength:"1" maxLength:"200" doc:"As it was mailed."`
}

// Choice is a password chosen with a token.
type Choice struct {
	Token
	Password string `json:"password" minLength:"8" maxLength:"256" doc:"At least 8 characters, upper and lower case, and on no list of leaked passwords."`
}

// Address is an e-mail address.
type Address struct {
	Email string `json:"email" minLength:"3" maxLength:"254"`
}

// Flag says whether a way to sign in is there.
type Flag struct {
	Name     string `json:"name"`
	IsActive bool   `json:"is_active"`
}

// Flags are a list of them.
type Flags struct {
	Items []Flag `json:"items"`
}

// issuerFlags are the ways to sign in at issuers.
func (s *SignIn) issuerFlags() []Flag {
	var out []Flag
	for _, name := range Names() {
		out = append(out, Flag{name + "_sso", s.providers[name] != nil})
	}
	return out
}

// loginFlags are all ways to sign in beside the password, and what goes with it.
func (s *SignIn) loginFlags() []Flag {
	mails := s.o.Mail != nil
	return append(append([]Flag{{"otp", mails}}, s.issuerFlags()...), Flag{"forgot_password", mails}, Flag{"registration", mails && s.o.OpenRegistration})
}

const group = "Authentication"

// Mount declares the operations.
func (s *SignIn) Mount(a *api.API) {
	api.Do(a, api.Op{ID: "listLoginFlags", Route: "GET /auth-service/api/v2/feature-flags/logins", Title: "Get the enabled ways to sign in", Group: group,
		Doc: "Signing in by password is always there. The ways listed need their service to be configured.", Needs: authz.Public("the sign-in page shows it")},
		func(context.Context, *struct{}) (Flags, error) { return Flags{s.loginFlags()}, nil })
	api.Do(a, api.Op{ID: "listOAuthFlags", Route: "GET /api/v2/configurations/oauth", Title: "Get OAuth-related Feature Flags", Group: "Configurations",
		Doc: "Which issuers one can sign in at.", Needs: authz.To(authz.View, authz.FeatureFlag)},
		func(context.Context, *struct{}) (Flags, error) { return Flags{s.issuerFlags()}, nil })
	s.mountAsking(a)
	s.mountProofs(a)
	s.mountSSO(a)
	api.None(a, api.Op{ID: "inviteUserAgain", Route: "POST /api/v2/users/{user_id}/invitation", Title: "Send an invitation again", Group: "Users",
		Doc: "For somebody who has not signed in yet. Links that were mailed before stop working.", Message: "Invitation sent", Needs: authz.To(authz.Manage, authz.User)},
		func(ctx context.Context, in *struct {
			ID int64 `path:"user_id" minimum:"1"`
		}) error {
			return s.InviteAgain(ctx, authz.From(ctx), in.ID)
		})
}

// mountAsking declares what mails something to an address.
func (s *SignIn) mountAsking(a *api.API) {
	const alike = " Answers alike, and as fast, whether or not somebody has the address."
	api.Do(a, api.Op{ID: "requestSignInCode", Route: "POST /auth-service/api/v2/users/passwordless-auth", Title: "Ask for a code and a link to sign in", Group: group,
		Doc:     "Mails a code of six characters and a link, which work once, for ten minutes." + alike,
		Message: "If somebody has this address, a code is on its way to it", Needs: authz.Public("it is how one gets credentials")},
		func(ctx context.Context, in *struct {
			Body struct {
				Address
				Next     string `json:"next,omitempty" maxLength:"2000" doc:"A path on this server to go to afterwards."`
				Previous string `json:"otp_session_id,omitempty" maxLength:"200" doc:"Of the attempt that this one replaces."`
			}
		}) (Attempt, error) {
			return s.Ask(ctx, in.Body.Email, in.Body.Next, in.Body.Previous, api.RemoteIP(ctx))
		})
	asks := []struct {
		op  api.Op
		run func(ctx context.Context, email, address string) error
	}{
		{api.Op{ID: "requestPasswordlessToken", Route: "POST /auth-service/api/v2/login/passwordless/request-token", Title: "Request Passwordless Exchange Token",
			Doc:     "Mails a token that a program exchanges for access tokens; it works once, for ten minutes." + alike,
			Message: "If somebody has this address, a token is on its way to it"}, s.AskToken},
		{api.Op{ID: "forgotPassword", Route: "POST /auth-service/api/v2/users/forgot-password", Title: "Ask for a new password",
			Doc:     "Mails a link with which a new password is chosen; it works once, for an hour." + alike,
			Message: "If somebody has this address, a mail to it tells how to go on"}, s.AskReset},
	}
	for _, x := range asks {
		x.op.Group, x.op.Needs = group, authz.Public("it is how one gets credentials")
		api.None(a, x.op, func(ctx context.Context, in *struct{ Body Address }) error {
			return x.run(ctx, in.Body.Email, api.RemoteIP(ctx))
		})
	}
}

// mountProofs declares what turns something mailed into a session.
func (s *SignIn) mountProofs(a *api.API) {
	proofs := []struct {
		op  api.Op
		way string
		run func(ctx context.Context, token string, how user.How) (user.Tokens, error)
	}{
		{api.Op{ID: "useMagicLink", Route: "POST /auth-service/api/v2/users/validate-magic-link", Title: "Sign in with a mailed link", Doc: "Takes the token of the link."}, "link",
			func(ctx context.Context, token string, how user.How) (user.Tokens, error) {
				return s.Link(ctx, token, "", how)
			}},
		{api.Op{ID: "confirmRegistration", Route: "POST /auth-service/api/v2/users/verify-email", Title: "Confirm the address of a registration", Doc: "Takes the token of the mailed link, activates the account and signs in."}, "registration", s.Confirm},
	}
	for _, x := range proofs {
		api.Do(a, signsIn(x.op), func(ctx context.Context, in *struct {
			Console
			Body Token
		}) (user.Tokens, error) {
			return s.answer(ctx, in.Console)(x.run(ctx, in.Body.Token, user.By(ctx, x.way)))
		})
	}
	api.Do(a, signsIn(api.Op{ID: "useSignInCode", Route: "POST /auth-service/api/v2/users/verify-otp", Title: "Sign in with a mailed code", Doc: "A code can be tried five times."}),
		func(ctx context.Context, in *struct {
			Console
			Body struct {
				Attempt string `json:"otp_session_id" minLength:"1" maxLength:"200"`
				Code    string `json:"code" minLength:"1" maxLength:"20" doc:"Six characters, in upper or lower case."`
			}
		}) (user.Tokens, error) {
			return s.answer(ctx, in.Console)(s.Code(ctx, in.Body.Attempt, in.Body.Code, user.By(ctx, "code")))
		})
	api.Do(a, signsIn(api.Op{ID: "exchangePasswordlessToken", Route: "POST /auth-service/api/v2/login/passwordless/exchange-tokens", Title: "Exchange Passwordless Token for Access Tokens", Doc: "For programs."}),
		func(ctx context.Context, in *struct {
			Body struct {
				Token
				Email string `json:"email,omitempty" maxLength:"254" doc:"When sent, the token must have been mailed to it."`
			}
		}) (user.Tokens, error) {
			return s.Link(ctx, in.Body.Token.Token, in.Body.Email, user.By(ctx, "link"))
		})
	api.Do(a, signsIn(api.Op{ID: "acceptInvitation", Route: "POST /auth-service/api/v2/users/accept-invitation", Title: "Accept an invitation", Doc: "Takes the token of the mailed link, chooses the first password and signs in."}),
		func(ctx context.Context, in *struct {
			Console
			Body Choice
		}) (user.Tokens, error) {
			return s.answer(ctx, in.Console)(s.Accept(ctx, in.Body.Token.Token, in.Body.Password, user.By(ctx, "invitation")))
		})
	api.None(a, api.Op{ID: "resetPassword", Route: "POST /auth-service/api/v2/users/reset-password", Title: "Choose a new password", Group: group,
		Doc: "Takes the token of the mailed link. Ends all sessions of the person.", Message: "Password changed; sign in with it", Needs: authz.Public("the mailed token is the proof")},
		func(ctx context.Context, in *struct{ Body Choice }) error {
			return s.Reset(ctx, in.Body.Token.Token, in.Body.Password, user.By(ctx, "reset"))
		})
	api.Do(a, signsIn(api.Op{ID: "exchangeAzureToken", Route: "POST /auth-service/api/v2/login/azure/exchange-token", Title: "Exchange a Microsoft ID token for access tokens", Doc: "The token must have been made for this server's registration at Microsoft."}),
		func(ctx context.Context, in *struct {
			Console
			Body struct {
				IDToken string `json:"id_token" minLength:"1" maxLength:"20000"`
			}
		}) (user.Tokens, error) {
			return s.answer(ctx, in.Console)(s.Exchange(ctx, in.Body.IDToken, user.By(ctx, "microsoft")))
		})
}

// signsIn is the rest of an operation whose body is the proof.
func signsIn(o api.Op) api.Op {
	o.Group, o.Message, o.Needs = group, "Signed in", authz.Public("what is in the body is the proof")
	return o
}

// answer gives the console its cookie beside the tokens.
func (s *SignIn) answer(ctx context.Context, c Console) func(user.Tokens, error) (user.Tokens, error) {
	return func(t user.Tokens, err error) (user.Tokens, error) {
		if err == nil && c.Console != "" {
			s.o.Users.GiveCookie(ctx, t)
		}
		return t, err
	}
}

// mountSSO declares the two ends of a sign-in at an issuer.
func (s *SignIn) mountSSO(a *api.API) {
	api.Redirect(a, api.Op{ID: "beginSingleSignOn", Route: "GET /auth-service/api/v2/sso/{provider}/login", Title: "Sign in at an issuer", Group: group,
		Doc: "Sends the browser to the issuer; when that cannot be, back to the sign-in page with the reason.", Needs: authz.Public("it is how one gets credentials")},
		func(ctx context.Context, in *struct {
			Provider string `path:"provider" enum:"microsoft,google,linkedin,github,okta,oidc"`
			Next     string `query:"next" maxLength:"2000" doc:"A path on this server to go to afterwards."`
		}) (string, error) {
			return s.Begin(ctx, in.Provider, in.Next), nil
		})
	api.Redirect(a, api.Op{ID: "finishSingleSignOn", Route: "GET /auth-service/api/v2/sso/{provider}/callback", Title: "Come back from an issuer", Group: group,
		Doc: "Gives the console's cookie and sends the browser to where it wanted to go, or back to the sign-in page with the reason.", Needs: authz.Public("what the issuer sends is the proof")},
		func(ctx context.Context, in *Return) (string, error) { return s.Finish(ctx, *in), nil })
}
