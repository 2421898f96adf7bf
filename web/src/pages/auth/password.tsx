import { Check, Circle } from 'lucide-react';
import { useState } from 'react';
import { fieldProblem } from '../../api/error';
import { t } from '../../strings';
import { cx } from '../../ui/cx';
import { Field, Input } from '../../ui/field';

/** A new password while it is typed. */
export interface NewPassword {
  password: string;
  repeated: string;
  /** Each rule in words, and whether it is kept. */
  rules: [string, boolean][];
  ready: boolean;
  put: (part: { password?: string; repeated?: string }) => void;
}

/** Holds a new password and the rules that the server has for it. */
export function useNewPassword(): NewPassword {
  const [value, setValue] = useState({ password: '', repeated: '' });
  const { password, repeated } = value;
  const rules: [string, boolean][] = [
    [t.auth.rules.length, [...password].length >= 8],
    [t.auth.rules.upper, /\p{Lu}/u.test(password)],
    [t.auth.rules.lower, /\p{Ll}/u.test(password)],
    [t.auth.rules.same, password !== '' && password === repeated],
  ];
  return { password, repeated, rules, ready: rules.every(([, kept]) => kept), put: (part) => setValue({ ...value, ...part }) };
}

/** The two fields of a new password and what is still missing. */
export function PasswordFields({ value, error, autoFocus, problem }: { value: NewPassword; error?: unknown; autoFocus?: boolean; problem?: string }) {
  return (
    <>
      <Field label={t.auth.newPassword} problem={fieldProblem(error, problem ?? 'password')}>
        {(f) => (
          <Input
            {...f}
            type="password"
            autoComplete="new-password"
            autoFocus={autoFocus}
            maxLength={256}
            value={value.password}
            onChange={(e) => value.put({ password: e.target.value })}
          />
        )}
      </Field>
      <Field label={t.auth.repeatPassword}>
        {(f) => (
          <Input
            {...f}
            type="password"
            autoComplete="new-password"
            maxLength={256}
            value={value.repeated}
            onChange={(e) => value.put({ repeated: e.target.value })}
          />
        )}
      </Field>
      <ul className="flex flex-col gap-1 text-muted">
        {value.rules.map(([rule, kept]) => (
          <li key={rule} className={cx('flex items-center gap-2', kept && 'text-ok')}>
            {kept ? <Check className="size-3.5" aria-hidden /> : <Circle className="size-3.5" aria-hidden />}
            {rule}
          </li>
        ))}
      </ul>
    </>
  );
}
