import type { ReactNode } from 'react';

/** The line above a view: where one is, and what one can do here. */
export function Header({ title, before, children }: { title: ReactNode; before?: ReactNode; children?: ReactNode }) {
  return (
    <header className="flex h-14 shrink-0 items-center gap-2 border-b border-line px-4 lg:px-6">
      {before}
      <h1 className="min-w-0 grow truncate text-base font-semibold">{title}</h1>
      {children}
    </header>
  );
}
