import { Check, ChevronRight, Minus } from 'lucide-react';
import { p } from '../strings.people';

export interface Right {
  action: string;
  allowed: boolean;
  reason: string;
}

/** What may be done to things of some kinds, each with its reason. */
export function Rights({ groups }: { groups: { name: string; rights: Right[] }[] }) {
  return (
    <ul className="divide-y divide-line rounded-md border border-line">
      {groups.map((g) => {
        const may = g.rights.filter((r) => r.allowed).map((r) => p.actions[r.action] ?? r.action);
        return (
          <li key={g.name}>
            <details className="group">
              <summary className="flex min-h-10 cursor-pointer list-none items-center gap-2 px-3 py-1.5 hover:bg-sunken [&::-webkit-details-marker]:hidden">
                <ChevronRight className="size-4 shrink-0 text-muted transition-transform group-open:rotate-90 rtl:rotate-180" aria-hidden />
                <span className="min-w-32 shrink-0 font-medium">{g.name}</span>
                <span className="min-w-0 truncate text-muted">{may.length === 0 ? p.rights.nothing : may.join(', ')}</span>
              </summary>
              <ReasonList rights={g.rights} />
            </details>
          </li>
        );
      })}
    </ul>
  );
}

/** Each action with yes or no and why. */
export function ReasonList({ rights }: { rights: Right[] }) {
  return (
    <dl className="grid gap-x-3 gap-y-1 px-3 pt-1 pb-3 sm:grid-cols-[7rem_1fr] sm:ps-9">
      {rights.map((r) => (
        <div key={r.action} className="contents">
          <dt className="flex items-center gap-1.5">
            {r.allowed ? <Check className="size-4 text-ok" aria-hidden /> : <Minus className="size-4 text-muted" aria-hidden />}
            {p.actions[r.action] ?? r.action}
            <span className="sr-only">: {r.allowed ? p.rights.yes : p.rights.no}</span>
          </dt>
          <dd className="text-muted max-sm:mb-1.5 max-sm:ps-5.5">{r.reason}</dd>
        </div>
      ))}
    </dl>
  );
}
