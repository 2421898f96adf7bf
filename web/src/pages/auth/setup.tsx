import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import type { FormEvent } from 'react';
import { api } from '../../api/client';
import { useTitle } from '../../lib/hooks';
import { t } from '../../strings';
import { Button } from '../../ui/button';
import { ErrorLine } from '../../ui/state';
import { AuthFrame } from './frame';
import { PasswordFields, useNewPassword } from './password';

export function Setup() {
  useTitle(t.auth.setupTitle);
  const { token } = useSearch({ from: '/setup' });
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const chosen = useNewPassword();
  const finish = useMutation({
    mutationFn: () =>
      api.POST('/auth-service/api/v2/setup', {
        body: { token: token ?? '', password: chosen.password },
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
    if (chosen.ready) finish.mutate();
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
        <PasswordFields value={chosen} error={finish.error} autoFocus />
        {finish.error && <ErrorLine error={finish.error} />}
        <Button type="submit" look="primary" disabled={finish.isPending || !chosen.ready}>
          {t.auth.finish}
        </Button>
      </form>
    </AuthFrame>
  );
}
