import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useRouter, useSearch } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { ApiError, fieldProblem } from '../../api/error';
import { loginsQuery } from '../../api/queries';
import { askForCode, signIn, signInByCode } from '../../api/session';
import { useTitle } from '../../lib/hooks';
import { t } from '../../strings';
import { Button, buttonClass } from '../../ui/button';
import { Field, Input } from '../../ui/field';
import { ErrorLine } from '../../ui/state';
import { AuthFrame } from './frame';

/** The page to sign in by whatever ways the server has. */
export function Login() {
  useTitle(t.auth.title);
  const { next, ended, changed, error } = useSearch({ from: '/sign-in' });
  const [email, setEmail] = useState('');
  const [byCode, setByCode] = useState(false);
  const { data: logins } = useQuery(loginsQuery);
  const active = (logins?.items ?? []).filter((way) => way.is_active).map((way) => way.name);
  const providers = active.filter((name) => name.endsWith('_sso')).map((name) => name.slice(0, -'_sso'.length));
  const mail = active.includes('otp'); // codes and new passwords both need it
  return (
    <AuthFrame title={t.auth.title} text={ended ? t.auth.ended : changed ? t.auth.changed : undefined}>
      {error && !byCode && <ErrorLine error={undefined} text={t.auth.ssoErrors[error] ?? t.auth.ssoError} className="mb-4" />}
      {byCode ? (
        <ByCode email={email} onEmail={setEmail} next={next} onBack={() => setByCode(false)} />
      ) : (
        <ByPassword email={email} onEmail={setEmail} next={next} mail={mail} />
      )}
      {!byCode && (mail || providers.length > 0) && (
        <div className="mt-5 flex flex-col gap-2 border-t border-line pt-5">
          {mail && <Button onClick={() => setByCode(true)}>{t.auth.byCode}</Button>}
          {providers.map((name) => (
            <a key={name} className={buttonClass()} href={`/auth-service/api/v2/sso/${name}/login?next=${encodeURIComponent(next ?? '/chat')}`}>
              {t.auth.with(t.auth.providers[name] ?? name)}
            </a>
          ))}
        </div>
      )}
    </AuthFrame>
  );
}

/** Goes on after a sign-in; nothing of who was there before stays. */
export function useEntered(next: string | undefined): () => void {
  const router = useRouter();
  const queryClient = useQueryClient();
  return () => {
    queryClient.clear();
    router.history.replace(next ?? '/chat');
  };
}

interface WayProps {
  email: string;
  onEmail: (email: string) => void;
  next: string | undefined;
}

function EmailField({ email, onEmail, error }: { email: string; onEmail: (email: string) => void; error: unknown }) {
  return (
    <Field label={t.auth.email} problem={fieldProblem(error, 'email')}>
      {(f) => (
        <Input {...f} type="email" autoComplete="username" required autoFocus maxLength={254} value={email} onChange={(e) => onEmail(e.target.value)} />
      )}
    </Field>
  );
}

function ByPassword({ email, onEmail, next, mail }: WayProps & { mail: boolean }) {
  const [password, setPassword] = useState('');
  const enter = useMutation({
    mutationFn: () => signIn(email.trim(), password),
    meta: { ownError: true },
    onSuccess: useEntered(next),
  });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    enter.mutate();
  };
  const wrong = enter.error instanceof ApiError && enter.error.status === 401;
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <EmailField email={email} onEmail={onEmail} error={undefined} />
      <Field label={t.auth.password}>
        {(f) => (
          <Input {...f} type="password" autoComplete="current-password" required value={password} onChange={(e) => setPassword(e.target.value)} />
        )}
      </Field>
      {mail && (
        <Link to="/sign-in/forgot" className="-mt-2 self-start text-accent underline underline-offset-2">
          {t.auth.forgot}
        </Link>
      )}
      {enter.error && <ErrorLine error={wrong ? new ApiError(401, t.auth.wrong) : enter.error} />}
      <Button type="submit" look="primary" disabled={enter.isPending}>
        {enter.isPending ? t.auth.signingIn : t.auth.signIn}
      </Button>
    </form>
  );
}

function ByCode({ email, onEmail, next, onBack }: WayProps & { onBack: () => void }) {
  const [code, setCode] = useState('');
  const send = useMutation({ mutationFn: (previous?: string) => askForCode(email.trim(), next, previous), meta: { ownError: true } });
  const enter = useMutation({
    mutationFn: () => signInByCode(send.data ?? '', code.trim()),
    meta: { ownError: true },
    onSuccess: useEntered(next),
  });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (send.data === undefined) send.mutate(undefined);
    else enter.mutate();
  };
  const sent = send.data !== undefined;
  const error = enter.error ?? send.error;
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      {sent ? (
        <>
          <p role="status" className="text-muted">
            {t.auth.codeSent(email.trim())}
          </p>
          <Field label={t.auth.code} problem={fieldProblem(enter.error, 'code')}>
            {(f) => (
              <Input
                {...f}
                autoComplete="one-time-code"
                autoCapitalize="characters"
                spellCheck={false}
                dir="ltr"
                required
                autoFocus
                maxLength={12}
                className="font-mono text-lg! tracking-[0.3em] uppercase"
                value={code}
                onChange={(e) => setCode(e.target.value)}
              />
            )}
          </Field>
        </>
      ) : (
        <EmailField email={email} onEmail={onEmail} error={send.error} />
      )}
      {error && <ErrorLine error={error} />}
      <Button type="submit" look="primary" disabled={send.isPending || enter.isPending || (sent && code.trim() === '')}>
        {sent ? (enter.isPending ? t.auth.signingIn : t.auth.signIn) : t.auth.sendCode}
      </Button>
      <div className="flex justify-between gap-2">
        <Button look="quiet" small onClick={onBack}>
          {t.auth.byPassword}
        </Button>
        {sent && (
          <Button
            look="quiet"
            small
            disabled={send.isPending}
            onClick={() => {
              enter.reset();
              setCode('');
              send.mutate(send.data);
            }}
          >
            {t.auth.sendAgain}
          </Button>
        )}
      </div>
    </form>
  );
}
