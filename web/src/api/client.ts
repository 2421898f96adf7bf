import createClient from 'openapi-fetch';
import { ApiError, failureOf } from './error';
import type { paths } from './schema';

/** Raised on window when the session is over; the shell shows the sign-in page. */
export const signedOutEvent = 'atrium:signed-out';

/** The paths where 401 means wrong input, not a session that has ended. */
const entrances = [
  '/login/',
  '/setup',
  '/users/verify-otp',
  '/users/validate-magic-link',
  '/users/reset-password',
  '/users/accept-invitation',
  '/users/verify-email',
];

/** Tells the shell when an answer says that nobody is signed in. */
export function noticeSignedOut(url: string, status: number): void {
  if (status === 401 && !entrances.some((part) => url.includes(part))) window.dispatchEvent(new Event(signedOutEvent));
}

/** The typed client: same origin, the session's cookie, failures thrown as ApiError. */
export const api = createClient<paths>({ baseUrl: '', credentials: 'same-origin' });

api.use({
  async onResponse({ request, response }) {
    if (response.ok) return;
    noticeSignedOut(request.url, response.status);
    throw await failureOf(response);
  },
  onError({ error }) {
    if (error instanceof DOMException && error.name === 'AbortError') return error;
    return new ApiError(0, '');
  },
});

type Json<R> = R extends { content: { 'application/json': infer J } } ? J : never;
type Success<O> = O extends { responses: infer R } ? Json<R[keyof R & (200 | 201 | 202)]> : never;

/** The type of `data` in the envelope that an operation answers. */
export type Data<P extends keyof paths, M extends keyof paths[P]> =
  Success<paths[P][M]> extends { data?: infer D } ? NonNullable<D> : never;

/** Takes the data out of the envelope of a call. */
export async function take<T>(call: Promise<{ data?: { data?: T } }>): Promise<NonNullable<T>> {
  const { data } = await call;
  return (data?.data ?? {}) as NonNullable<T>;
}
