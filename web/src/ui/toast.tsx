import { X } from 'lucide-react';
import { useSyncExternalStore } from 'react';
import { undoList } from '../lib/undo';
import { t } from '../strings';
import { Button, IconButton } from './button';
import { cx } from './cx';
import { errorText } from './state';

interface Note {
  id: number;
  text: string;
  bad: boolean;
}

let notes: Note[] = [];
let next = 1;
const listeners = new Set<() => void>();
const tell = () => listeners.forEach((l) => l());

function dismiss(id: number): void {
  notes = notes.filter((n) => n.id !== id);
  tell();
}

/** Says something that happened; failures stay until they are closed. */
export function say(text: string, bad = false): void {
  const id = next++;
  notes = [...notes.slice(-2), { id, text, bad }];
  tell();
  if (!bad) setTimeout(() => dismiss(id), 4000);
}

/** Says why an act failed that has no place of its own for it. */
export function sayError(error: unknown): void {
  say(errorText(error), true);
}

const card = 'float-in pointer-events-auto flex items-center gap-3 rounded-md border border-line bg-raised py-1.5 ps-4 pe-1.5 shadow-float';

/** Where short messages and the ways back stand. */
export function Toasts() {
  const shown = useSyncExternalStore(
    (l) => {
      listeners.add(l);
      return () => listeners.delete(l);
    },
    () => notes,
  );
  const pending = useSyncExternalStore(undoList.subscribe, undoList.snapshot);
  return (
    <div
      data-toasts
      role="status"
      aria-live="polite"
      className="pointer-events-none fixed inset-x-4 bottom-20 z-50 mx-auto flex max-w-sm flex-col gap-2 lg:bottom-6"
    >
      {pending.map((p) => (
        <div key={p.id} className={card}>
          <span className="min-w-0 grow truncate">{p.label}</span>
          <Button small look="quiet" className="text-accent" onClick={() => undoList.undo(p.id)}>
            {t.common.undo}
          </Button>
        </div>
      ))}
      {shown.map((n) => (
        <div key={n.id} className={cx(card, n.bad && 'text-danger')}>
          <span className="min-w-0 grow">{n.text}</span>
          <IconButton label={t.common.close} onClick={() => dismiss(n.id)}>
            <X />
          </IconButton>
        </div>
      ))}
    </div>
  );
}
