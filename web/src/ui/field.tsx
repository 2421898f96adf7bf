import { Search } from 'lucide-react';
import { type ComponentProps, type ReactNode, useId } from 'react';
import { t } from '../strings';
import { cx } from './cx';

const box =
  'w-full rounded-md border border-line-strong/60 bg-bg px-3 text-text placeholder:text-muted hover:border-line-strong focus-visible:border-accent focus-visible:outline-1 focus-visible:outline-offset-0 disabled:opacity-60 aria-invalid:border-danger';

/** The look of a text field. */
export const inputClass = cx(box, 'h-9');

/** A label, a field, and what helps or what is wrong with it. */
export function Field({
  label,
  hint,
  problem,
  optional,
  children,
}: {
  label: string;
  hint?: ReactNode;
  problem?: string | undefined;
  optional?: boolean;
  children: (field: { id: string; 'aria-describedby': string | undefined; 'aria-invalid': true | undefined }) => ReactNode;
}) {
  const id = useId();
  const about = problem || hint ? `${id}-about` : undefined;
  return (
    <div className="flex flex-col gap-1.5">
      <label htmlFor={id} className="font-medium">
        {label}
        {optional && <span className="font-normal text-muted"> · {t.common.optional}</span>}
      </label>
      {children({ id, 'aria-describedby': about, 'aria-invalid': problem ? true : undefined })}
      {about && (
        <p id={about} className={cx('text-xs', problem ? 'text-danger' : 'text-muted')}>
          {problem ?? hint}
        </p>
      )}
    </div>
  );
}

export function Input({ className, ...rest }: ComponentProps<'input'>) {
  return <input className={cx(inputClass, className)} {...rest} />;
}

export function Textarea({ className, ...rest }: ComponentProps<'textarea'>) {
  return <textarea className={cx(box, 'min-h-20 resize-y py-2', className)} {...rest} />;
}

export function Select({ className, ...rest }: ComponentProps<'select'>) {
  return <select className={cx(inputClass, 'pe-8', className)} {...rest} />;
}

/** A search field with its name for screen readers. */
export function SearchInput({ label, className, ...rest }: ComponentProps<'input'> & { label: string }) {
  return (
    <div className={cx('relative', className)}>
      <Search className="pointer-events-none absolute inset-y-0 start-2.5 my-auto size-4 text-muted" aria-hidden />
      <input type="search" aria-label={label} placeholder={label} className={cx(inputClass, 'ps-8')} {...rest} />
    </div>
  );
}
