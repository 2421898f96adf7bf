import type { ReactNode } from 'react';
import { t } from '../../strings';

/** The page around sign-in and setup. */
export function AuthFrame({ title, text, children }: { title: string; text?: string; children: ReactNode }) {
  return (
    <main className="flex min-h-dvh flex-col items-center bg-sunken px-4 pt-[14vh] pb-8">
      <p className="mb-6 flex items-center gap-2.5 text-lg font-semibold">
        <img src="/favicon.svg" alt="" className="size-8" />
        {t.app}
      </p>
      <div className="w-full max-w-sm rounded-lg border border-line bg-raised p-6">
        <h1 className="text-base font-semibold">{title}</h1>
        {text && <p className="mt-1 text-muted">{text}</p>}
        <div className="mt-5">{children}</div>
      </div>
    </main>
  );
}
