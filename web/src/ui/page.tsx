import { Link, type LinkProps } from '@tanstack/react-router';
import { ArrowLeft } from 'lucide-react';
import { createContext, type ReactNode, type RefObject, useRef } from 'react';
import { Header } from '../shell/header';
import { t } from '../strings';
import { cx } from './cx';

/** What scrolls on the page, for lists that draw only what is in view. */
export const Scroller = createContext<RefObject<HTMLElement | null>>({ current: null });

/** A view with its title, its acts, and a column that scrolls. */
export function Page({
  title,
  before,
  actions,
  slim,
  children,
}: {
  title: ReactNode;
  before?: ReactNode;
  actions?: ReactNode;
  /** For text and forms, which are not read across the whole width. */
  slim?: boolean;
  children: ReactNode;
}) {
  const scroller = useRef<HTMLDivElement>(null);
  return (
    <main className="flex min-h-0 min-w-0 grow flex-col">
      <Header title={title} before={before}>
        {actions}
      </Header>
      {/* What is hidden for screen readers alone stays inside of what scrolls. */}
      <div ref={scroller} className="relative min-h-0 grow overflow-y-auto">
        <div className={cx('mx-auto px-4 py-5 lg:px-6', slim ? 'max-w-3xl' : 'max-w-5xl')}>
          <Scroller value={scroller}>{children}</Scroller>
        </div>
      </div>
    </main>
  );
}

/** The way back to the list that a view belongs to. */
export function Back({ to, label }: { to: LinkProps['to']; label: string }) {
  return (
    <Link to={to} aria-label={`${t.common.back}: ${label}`} className="-ms-2 rounded-md p-2 text-muted hover:bg-hover">
      <ArrowLeft className="size-4 rtl:rotate-180" aria-hidden />
    </Link>
  );
}

/** A part of a view under its own heading, with what can be done about it. */
export function Section({ title, hint, actions, children }: { title: string; hint?: ReactNode; actions?: ReactNode; children?: ReactNode }) {
  return (
    <section aria-label={title} className="flex flex-col gap-3 border-t border-line pt-6 first:border-t-0 first:pt-0 [&+&]:mt-8">
      <div className="flex flex-wrap items-center gap-2">
        <div className="min-w-0 grow basis-48">
          <h2 className="font-medium">{title}</h2>
          {hint && <p className="text-xs text-muted">{hint}</p>}
        </div>
        {actions}
      </div>
      {children}
    </section>
  );
}
