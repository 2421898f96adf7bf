import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useRouter, useSearch } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { ApiError } from '../../api/error';
import { loginsQuery } from '../../api/queries';
import { signIn } from '../../api/session';
import { useTitle } from '../../lib/hooks';
import { t } from '../../strings';
import { Button, buttonClass } from '../../ui/button';
import { Field, Input } from '../../ui/field';
import { ErrorLine } from '../../ui/state';
import { AuthFrame } from './frame';

export function Login() {
  useTitle(t.auth.title);
  const { next, ended } = useSearch({ from: '/login' });
  const router = useRouter();
  const queryClient = useQueryClient();
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const { data: logins } = useQuery(loginsQuery);
  const providers = (logins?.items ?? [])
    .filter((way) => way.is_active && way.name.endsWith('_sso'))
    .map((way) => way.name.slice(0, -'_sso'.length));
  const enter = useMutation({
    mutationFn: () => signIn(email.trim(), password),
    meta: { ownError: true },
    onSuccess: () => {
      queryClient.clear();
      router.history.replace(next ?? '/chat');
    },
  });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    enter.mutate();
  };
  const wrong = enter.error instanceof ApiError && enter.error.status === 401;
  return (
    <AuthFrame title={t.auth.title} text={ended ? t.auth.ended : undefined}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label={t.auth.email}>
          {(f) => (
            <Input
              {...f}
              type="email"
              autoComplete="username"
              required
              autoFocus
              value={email}
              onChange={(e) => setEmail(e.target.value)}
            />
          )}
        </Field>
        <Field label={t.auth.password}>
          {(f) => (
            <Input
              {...f}
              type="password"
              autoComplete="current-password"
              required
              value={password}
              onChange={(e) => setPassword(e.target.value)}
            />
          )}
        </Field>
        {enter.error && <ErrorLine error={wrong ? new ApiError(401, t.auth.wrong) : enter.error} />}
        <Button type="submit" look="primary" disabled={enter.isPending}>
          {enter.isPending ? t.auth.signingIn : t.auth.signIn}
        </Button>
      </form>
      {providers.length > 0 && (
        <div className="mt-5 flex flex-col gap-2 border-t border-line pt-5">
          {providers.map((p) => (
            <a
              key={p}
              className={buttonClass()}
              href={`/auth-service/api/v2/sso/${p}/login?next=${encodeURIComponent(next ?? '/chat')}`}
            >
              {t.auth.with(t.auth.providers[p] ?? p)}
            </a>
          ))}
        </div>
      )}
    </AuthFrame>
  );
}
