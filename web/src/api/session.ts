import { api, take } from './client';

// The header makes the server keep the session in a cookie that scripts cannot
// read; the tokens of the answers are not used here.
const headers = { 'X-Atrium-Console': '1' } as const;

/** Signs in with a password. */
export async function signIn(username: string, password: string): Promise<void> {
  await api.POST('/auth-service/api/v2/login/access-token', {
    body: { username, password },
    headers: { ...headers, 'Content-Type': 'application/x-www-form-urlencoded' },
    bodySerializer: (body) => new URLSearchParams(body as Record<string, string>).toString(),
  });
}

/** Has a code mailed; answers what has to be sent with it. previous is ended. */
export async function askForCode(email: string, next: string | undefined, previous: string | undefined): Promise<string> {
  const body = { email, next: next ?? '/chat', ...(previous ? { otp_session_id: previous } : {}) };
  return (await take(api.POST('/auth-service/api/v2/users/passwordless-auth', { body }))).otp_session_id;
}

/** Signs in with a mailed code. */
export async function signInByCode(otp_session_id: string, code: string): Promise<void> {
  await api.POST('/auth-service/api/v2/users/verify-otp', { body: { otp_session_id, code }, headers });
}

/** Signs in with the token of a mailed link. */
export async function signInByLink(token: string): Promise<void> {
  await api.POST('/auth-service/api/v2/users/validate-magic-link', { body: { token }, headers });
}

/** Has a link mailed that lets one choose a new password. */
export async function askForReset(email: string): Promise<void> {
  await api.POST('/auth-service/api/v2/users/forgot-password', { body: { email } });
}

/** Chooses a new password with a mailed token; all sessions end. */
export async function resetPassword(token: string, password: string): Promise<void> {
  await api.POST('/auth-service/api/v2/users/reset-password', { body: { token, password } });
}

/** Chooses the first password with the token of an invitation, and signs in. */
export async function acceptInvitation(token: string, password: string): Promise<void> {
  await api.POST('/auth-service/api/v2/users/accept-invitation', { body: { token, password }, headers });
}

/** Proves the address of somebody who registered, and signs in. */
export async function verifyAddress(token: string): Promise<void> {
  await api.POST('/auth-service/api/v2/users/verify-email', { body: { token }, headers });
}
