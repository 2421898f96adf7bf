import { useMutation } from '@tanstack/react-query';
import { Link, useSearch } from '@tanstack/react-router';
import { type FormEvent, type ReactNode, useState } from 'react';
import { fieldProblem } from '../../api/error';
import { acceptInvitation, askForReset, resetPassword, signInByLink, verifyAddress } from '../../api/session';
import { useTitle } from '../../lib/hooks';
import { t } from '../../strings';
import { Button, buttonClass } from '../../ui/button';
import { Field, Input } from '../../ui/field';
import { ErrorLine } from '../../ui/state';
import { AuthFrame } from './frame';
import { useEntered } from './login';
import { PasswordFields, useNewPassword } from './password';

const back = (
  <Link to="/sign-in" className={buttonClass('quiet')}>
    {t.auth.toSignIn}
  </Link>
);

/** A page for one link out of a mail, when the link lacks its token. */
function Broken({ title }: { title: string }) {
  return (
    <AuthFrame title={title} text={t.auth.noToken}>
      {back}
    </AuthFrame>
  );
}

/**
 * Where a link out of a mail leads that only has to be confirmed. It is not
 * used before somebody presses: programs that look through mails open links.
 */
function Confirmed({ title, text, verb, act, next }: { title: string; text: string; verb: string; act: () => Promise<unknown>; next?: string }) {
  useTitle(title);
  const enter = useMutation({ mutationFn: act, meta: { ownError: true }, onSuccess: useEntered(next) });
  return (
    <AuthFrame title={title} text={text}>
      <div className="flex flex-col gap-3">
        {enter.error && <ErrorLine error={enter.error} />}
        <Button look="primary" autoFocus disabled={enter.isPending} onClick={() => enter.mutate()}>
          {verb}
        </Button>
        {enter.error && back}
      </div>
    </AuthFrame>
  );
}

/** Signs in by the link of a mail. */
export function MagicLink() {
  const { token, next } = useSearch({ from: '/sign-in/link' });
  if (!token) return <Broken title={t.auth.title} />;
  return <Confirmed title={t.auth.title} text={t.auth.linkText} verb={t.auth.signIn} act={() => signInByLink(token)} next={next} />;
}

/** Proves the address of somebody who registered. */
export function Verify() {
  const { token } = useSearch({ from: '/sign-in/verify' });
  if (!token) return <Broken title={t.auth.verifyTitle} />;
  return <Confirmed title={t.auth.verifyTitle} text={t.auth.verifyText} verb={t.auth.signIn} act={() => verifyAddress(token)} />;
}

/** Asks for the mail that lets one choose a new password. */
export function Forgot() {
  useTitle(t.auth.forgotTitle);
  const [email, setEmail] = useState('');
  const send = useMutation({ mutationFn: () => askForReset(email.trim()), meta: { ownError: true } });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    send.mutate();
  };
  if (send.isSuccess) {
    return (
      <AuthFrame title={t.auth.forgotTitle}>
        <p role="status" className="mb-4">
          {t.auth.forgotSent(email.trim())}
        </p>
        {back}
      </AuthFrame>
    );
  }
  return (
    <AuthFrame title={t.auth.forgotTitle} text={t.auth.forgotText}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label={t.auth.email} problem={fieldProblem(send.error, 'email')}>
          {(f) => (
            <Input {...f} type="email" autoComplete="username" required autoFocus maxLength={254} value={email} onChange={(e) => setEmail(e.target.value)} />
          )}
        </Field>
        {send.error && <ErrorLine error={send.error} />}
        <Button type="submit" look="primary" disabled={send.isPending}>
          {t.auth.forgotDo}
        </Button>
        {back}
      </form>
    </AuthFrame>
  );
}

function ChoosePassword({
  title,
  text,
  verb,
  act,
  next,
  footer,
}: {
  title: string;
  text: string;
  verb: string;
  act: (password: string) => Promise<unknown>;
  next: string;
  footer: ReactNode;
}) {
  useTitle(title);
  const chosen = useNewPassword();
  const enter = useMutation({ mutationFn: () => act(chosen.password), meta: { ownError: true }, onSuccess: useEntered(next) });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (chosen.ready) enter.mutate();
  };
  return (
    <AuthFrame title={title} text={text}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <PasswordFields value={chosen} error={enter.error} autoFocus />
        {enter.error && <ErrorLine error={enter.error} />}
        <Button type="submit" look="primary" disabled={!chosen.ready || enter.isPending}>
          {verb}
        </Button>
        {enter.error && footer}
      </form>
    </AuthFrame>
  );
}

const askAnew = (
  <Link to="/sign-in/forgot" className={buttonClass('quiet')}>
    {t.auth.askAnew}
  </Link>
);

/** Chooses a new password in place of a forgotten one. */
export function Reset() {
  const { token } = useSearch({ from: '/sign-in/reset' });
  if (!token) return <Broken title={t.auth.resetTitle} />;
  return (
    <ChoosePassword
      title={t.auth.resetTitle}
      text={t.auth.resetText}
      verb={t.auth.resetDo}
      act={(password) => resetPassword(token, password)}
      next="/sign-in?changed=true"
      footer={askAnew}
    />
  );
}

/** Chooses the first password of somebody who was invited. */
export function Invitation() {
  const { token } = useSearch({ from: '/sign-in/invitation' });
  if (!token) return <Broken title={t.auth.invitationTitle} />;
  return (
    <ChoosePassword
      title={t.auth.invitationTitle}
      text={t.auth.invitationText}
      verb={t.auth.finish}
      act={(password) => acceptInvitation(token, password)}
      next="/chat"
      footer={back}
    />
  );
}
