import { api } from './client';

/**
 * Signs in with a password. The header makes the server keep the session in a
 * cookie that scripts cannot read; the tokens of the answer are not used here.
 */
export async function signIn(username: string, password: string): Promise<void> {
  await api.POST('/auth-service/api/v2/login/access-token', {
    body: { username, password },
    headers: { 'X-Atrium-Console': '1', 'Content-Type': 'application/x-www-form-urlencoded' },
    bodySerializer: (body) => new URLSearchParams(body as Record<string, string>).toString(),
  });
}
