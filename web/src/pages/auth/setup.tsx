import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { Check, Circle } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { api } from '../../api/client';
import { useTitle } from '../../lib/hooks';
import { t } from '../../strings';
import { Button } from '../../ui/button';
import { cx } from '../../ui/cx';
import { Field, Input } from '../../ui/field';
import { ErrorLine } from '../../ui/state';
import { AuthFrame } from './frame';

export function Setup() {
  useTitle(t.auth.setupTitle);
  const { token } = useSearch({ from: '/setup' });
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const [password, setPassword] = useState('');
  const [repeated, setRepeated] = useState('');
  const rules: [string, boolean][] = [
    [t.auth.rules.length, [...password].length >= 8],
    [t.auth.rules.upper, /\p{Lu}/u.test(password)],
    [t.auth.rules.lower, /\p{Ll}/u.test(password)],
    [t.auth.rules.same, password !== '' && password === repeated],
  ];
  const finish = useMutation({
    mutationFn: () =>
      api.POST('/auth-service/api/v2/setup', {
        body: { token: token ?? '', password },
        headers: { 'X-Atrium-Console': '1' },
      }),
    meta: { ownError: true },
    onSuccess: () => {
      queryClient.clear();
      return navigate({ to: '/chat', replace: true });
    },
  });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (rules.every(([, kept]) => kept)) finish.mutate();
  };
  if (!token) {
    return (
      <AuthFrame title={t.auth.setupTitle}>
        <p className="text-muted">{t.auth.setupNoToken}</p>
      </AuthFrame>
    );
  }
  return (
    <AuthFrame title={t.auth.setupTitle} text={t.auth.setupText}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label={t.auth.newPassword}>
          {(f) => (
            <Input
              {...f}
              type="password"
              autoComplete="new-password"
              autoFocus
              value={password}
              onChange={(e) => setPassword(e.target.value)}
            />
          )}
        </Field>
        <Field label={t.auth.repeatPassword}>
          {(f) => (
            <Input
              {...f}
              type="password"
              autoComplete="new-password"
              value={repeated}
              onChange={(e) => setRepeated(e.target.value)}
            />
          )}
        </Field>
        <ul className="flex flex-col gap-1 text-muted">
          {rules.map(([rule, kept]) => (
            <li key={rule} className={cx('flex items-center gap-2', kept && 'text-ok')}>
              {kept ? <Check className="size-3.5" aria-hidden /> : <Circle className="size-3.5" aria-hidden />}
              {rule}
            </li>
          ))}
        </ul>
        {finish.error && <ErrorLine error={finish.error} />}
        <Button type="submit" look="primary" disabled={finish.isPending || !rules.every(([, kept]) => kept)}>
          {t.auth.finish}
        </Button>
      </form>
    </AuthFrame>
  );
}
