import { useState } from 'react';
import { nameOf } from '../../api/people';
import { p } from '../../strings.people';
import { Button } from '../../ui/button';
import { Select } from '../../ui/field';
import { type Part, ShortList, useListing } from '../../ui/listing';
import { t } from '../../strings';

export const reachable = ['view', 'use', 'edit', 'delete', 'manage'] as const;
export type Reachable = (typeof reachable)[number];

/** Somebody who can reach a thing, with the reason for each action. */
export interface Reaching {
  user: { id: number; email: string; first_name: string; last_name: string };
  role: string;
  actions: { action: string; reason: string }[];
}

interface ReachProps {
  queryKey: readonly unknown[];
  load: (action: Reachable, page: number, signal: AbortSignal) => Promise<Part<Reaching>>;
}

/** Who can do something to an agent or a corpus, and why, when that is asked for. */
export function Reach(props: ReachProps) {
  const [showing, setShowing] = useState(false);
  return (
    <>
      <div className="flex items-end gap-2">
        <div className="grow">
          <h3 className="font-medium">{p.access.who}</h3>
          <p className="text-xs text-muted">{p.access.whoHint}</p>
        </div>
        <Button small aria-expanded={showing} onClick={() => setShowing(!showing)}>
          {showing ? t.common.hide : p.access.show}
        </Button>
      </div>
      {showing && <Those {...props} />}
    </>
  );
}

function Those({ queryKey, load }: ReachProps) {
  const [action, setAction] = useState<Reachable>('use');
  const list = useListing([...queryKey, action], (page, signal) => load(action, page, signal));
  return (
    <>
      <Select aria-label={p.access.action} className="w-auto! self-start" value={action} onChange={(e) => setAction(e.target.value as Reachable)}>
        {reachable.map((a) => (
          <option key={a} value={a}>
            {p.access.whoCan[a]}
          </option>
        ))}
      </Select>
      <ShortList list={list} none={p.access.nobody}>
        {(rows) => (
          <ul className="divide-y divide-line rounded-md border border-line" aria-label={p.access.whoCan[action]}>
            {rows.map((r) => (
              <li key={r.user.id} className="flex flex-wrap items-baseline gap-x-3 px-3 py-2">
                <bdi className="min-w-40 truncate">{nameOf(r.user)}</bdi>
                <span className="min-w-0 text-muted">{r.actions.find((a) => a.action === action)?.reason}</span>
              </li>
            ))}
          </ul>
        )}
      </ShortList>
    </>
  );
}
