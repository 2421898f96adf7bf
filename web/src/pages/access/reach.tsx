import { useState } from 'react';
import { nameOf } from '../../api/people';
import { p } from '../../strings.people';
import { Button } from '../../ui/button';
import { Select } from '../../ui/field';
import { type Part, useListing } from '../../ui/listing';
import { ErrorLine, Skeleton } from '../../ui/state';
import { t } from '../../strings';

export const reachable = ['view', 'use', 'edit', 'delete', 'manage'] as const;
export type Reachable = (typeof reachable)[number];

/** Somebody who can reach a thing, with the reason for each action. */
export interface Reaching {
  user: { id: number; email: string; first_name: string; last_name: string };
  role: string;
  actions: { action: string; reason: string }[];
}

/** Who can do something to an agent or a corpus, and why. */
export function Reach({
  queryKey,
  load,
}: {
  queryKey: readonly unknown[];
  load: (action: Reachable, page: number, signal: AbortSignal) => Promise<Part<Reaching>>;
}) {
  const [action, setAction] = useState<Reachable>('use');
  const list = useListing([...queryKey, action], (page, signal) => load(action, page, signal));
  const rows = list.data?.pages.flatMap((x) => x.rows ?? []) ?? [];
  return (
    <>
      <Select aria-label={p.access.action} className="w-auto! self-start" value={action} onChange={(e) => setAction(e.target.value as Reachable)}>
        {reachable.map((a) => (
          <option key={a} value={a}>
            {p.access.whoCan[a]}
          </option>
        ))}
      </Select>
      {list.isPending && <Skeleton rows={2} />}
      {list.error && <ErrorLine error={list.error} />}
      {list.data && rows.length === 0 && <p className="text-muted">{p.access.nobody}</p>}
      {rows.length > 0 && (
        <ul className="divide-y divide-line rounded-md border border-line" aria-label={p.access.whoCan[action]}>
          {rows.map((r) => (
            <li key={r.user.id} className="flex flex-wrap items-baseline gap-x-3 px-3 py-2">
              <bdi className="min-w-40 truncate">{nameOf(r.user)}</bdi>
              <span className="min-w-0 text-muted">{r.actions.find((a) => a.action === action)?.reason}</span>
            </li>
          ))}
        </ul>
      )}
      {list.hasNextPage && (
        <Button small className="self-center" disabled={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          {t.common.loadMore}
        </Button>
      )}
    </>
  );
}
