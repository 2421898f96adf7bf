import type { ReactNode } from 'react';
import { ApiError } from '../api/error';
import { t } from '../strings';
import { Button } from './button';
import { cx } from './cx';

/** What a person should read about a failure. */
export function errorText(error: unknown): string {
  if (!(error instanceof ApiError)) return t.error.unknown;
  if (error.message) return error.message;
  if (error.code === 'stopped') return t.chat.stopped;
  if (error.status === 0) return t.error.offline;
  if (error.status === 403) return t.error.forbidden;
  if (error.status === 404) return t.error.notFound;
  return t.error.unknown;
}

function RequestId({ error }: { error: unknown }) {
  if (!(error instanceof ApiError) || !error.requestId || error.status < 500) return null;
  return (
    <span className="text-xs text-muted">
      {t.error.requestId} <code className="font-mono select-all">{error.requestId}</code>
    </span>
  );
}

/** A failure inside a form or a row. */
export function ErrorLine({ error, text, className }: { error: unknown; text?: string; className?: string }) {
  return (
    <p role="alert" className={cx('flex flex-col gap-1 rounded-md bg-danger-soft px-3 py-2 text-danger', className)}>
      {text ?? errorText(error)}
      <RequestId error={error} />
    </p>
  );
}

/** A view that could not be loaded. */
export function ErrorState({ error, retry }: { error: unknown; retry?: () => void }) {
  return (
    <div role="alert" className="mx-auto flex max-w-md flex-col items-center gap-3 px-4 py-16 text-center">
      <h2 className="text-base font-semibold">{t.error.title}</h2>
      <p className="text-muted">{errorText(error)}</p>
      <RequestId error={error} />
      {retry && <Button onClick={retry}>{t.common.retry}</Button>}
    </div>
  );
}

/** A view with nothing in it yet: what it is for, and one next action. */
export function EmptyState({ icon, title, text, children }: { icon?: ReactNode; title: string; text?: string; children?: ReactNode }) {
  return (
    <div className="mx-auto flex max-w-md flex-col items-center gap-2 px-4 py-16 text-center [&>svg]:size-8 [&>svg]:text-muted">
      {icon}
      <h2 className="text-base font-semibold">{title}</h2>
      {text && <p className="text-muted">{text}</p>}
      {children && <div className="mt-3 flex flex-wrap justify-center gap-2">{children}</div>}
    </div>
  );
}

/** Grey bars in the layout of what is coming; they show only after a moment. */
export function Skeleton({ rows = 6, className, row = 'h-10' }: { rows?: number; className?: string; row?: string }) {
  return (
    <div className={cx('late flex flex-col gap-2', className)} role="status" aria-label={t.common.loading}>
      {Array.from({ length: rows }, (_, i) => (
        <div key={i} className={cx('pulse rounded-md bg-hover', row)} style={{ width: `${100 - ((i * 13) % 35)}%` }} />
      ))}
    </div>
  );
}

/** How far something is: value from 0 to 1, or undefined when the end is not known. */
export function Progress({ value, label }: { value: number | undefined; label: string }) {
  const percent = value === undefined ? undefined : Math.round(value * 100);
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
      className="h-1 w-full overflow-hidden rounded-full bg-hover"
    >
      <div
        className={cx('h-full rounded-full bg-accent transition-[width] duration-200', percent === undefined && 'pulse')}
        style={{ width: `${percent ?? 100}%` }}
      />
    </div>
  );
}

/** A word about the state of something; the tone is never the only sign. */
export function Badge({ tone = 'muted', children }: { tone?: 'muted' | 'ok' | 'warn' | 'danger' | 'accent'; children: ReactNode }) {
  const tones = { muted: 'text-muted bg-hover', ok: 'text-ok', warn: 'text-warn', danger: 'text-danger bg-danger-soft', accent: 'text-accent bg-accent-soft' };
  return (
    <span className={cx('inline-flex items-center gap-1 rounded-full text-xs font-medium whitespace-nowrap', tone !== 'ok' && tone !== 'warn' && 'px-2 py-0.5', tones[tone])}>
      {children}
    </span>
  );
}
