import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { X } from 'lucide-react';
import { type KeyboardEvent, useId, useState } from 'react';
import { usePaused } from '../lib/hooks';
import { t } from '../strings';
import { cx } from './cx';
import { Field, inputClass } from './field';

/** Something that can be picked. */
export interface Choice {
  id: number;
  label: string;
  note?: string;
}

/** A field that finds people, teams or the like by their names and keeps those that are picked. */
export function Picker({
  label,
  name,
  load,
  chosen,
  onChange,
  without = [],
  autoFocus,
}: {
  label: string;
  /** Names what is loaded, for the cache. */
  name: string;
  load: (search: string, signal: AbortSignal) => Promise<Choice[]>;
  chosen: Choice[];
  onChange: (chosen: Choice[]) => void;
  /** Ids that are there already. */
  without?: readonly number[];
  autoFocus?: boolean;
}) {
  const [search, setSearch] = useState('');
  const [active, setActive] = useState(0);
  const listId = useId();
  const word = usePaused(search.trim());
  const found = useQuery({
    queryKey: ['pick', name, word],
    queryFn: ({ signal }) => load(word, signal),
    placeholderData: keepPreviousData,
  });
  const gone = new Set([...without, ...chosen.map((c) => c.id)]);
  const offered = (found.data ?? []).filter((c) => !gone.has(c.id)).slice(0, 8);
  const at = Math.min(active, offered.length - 1);
  const pick = (choice: Choice | undefined) => {
    if (!choice) return;
    onChange([...chosen, choice]);
    setSearch('');
    setActive(0);
  };
  const onKeyDown = (e: KeyboardEvent) => {
    if (e.key === 'ArrowDown') setActive((at + 1) % Math.max(1, offered.length));
    else if (e.key === 'ArrowUp') setActive((at - 1 + offered.length) % Math.max(1, offered.length));
    else if (e.key === 'Enter' && !e.nativeEvent.isComposing && offered[at]) pick(offered[at]);
    else if (e.key === 'Backspace' && search === '') onChange(chosen.slice(0, -1));
    else return;
    if (e.key !== 'Backspace') e.preventDefault();
  };
  return (
    <div className="flex flex-col gap-2">
      <Field label={label}>
        {(f) => (
          <input
            {...f}
            role="combobox"
            aria-expanded={offered.length > 0}
            aria-controls={listId}
            aria-activedescendant={offered[at] ? `${listId}-${at}` : undefined}
            autoComplete="off"
            autoFocus={autoFocus}
            value={search}
            onChange={(e) => {
              setSearch(e.target.value);
              setActive(0);
            }}
            onKeyDown={onKeyDown}
            className={inputClass}
          />
        )}
      </Field>
      {chosen.length > 0 && (
        <ul className="flex flex-wrap gap-1.5">
          {chosen.map((c) => (
            <li key={c.id} className="flex max-w-full items-center gap-1 rounded-full bg-accent-soft py-0.5 ps-2.5 pe-1 text-accent">
              <span className="truncate">{c.label}</span>
              <button
                type="button"
                aria-label={t.common.takeOut(c.label)}
                className="rounded-full p-0.5 hover:bg-hover"
                onClick={() => onChange(chosen.filter((x) => x.id !== c.id))}
              >
                <X className="size-3.5" aria-hidden />
              </button>
            </li>
          ))}
        </ul>
      )}
      <div
        id={listId}
        role="listbox"
        aria-label={label}
        className={cx('rounded-md border border-line p-1', offered.length === 0 && 'sr-only')}
      >
        {offered.map((c, i) => (
          // The field has the focus and the keys; the pointer only needs a press.
          // eslint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus
          <div
            key={c.id}
            id={`${listId}-${i}`}
            role="option"
            aria-selected={i === at}
            onClick={() => pick(c)}
            onPointerMove={() => setActive(i)}
            className={cx('flex h-8 cursor-pointer items-center gap-2 rounded px-2', i === at && 'bg-hover')}
          >
            <span className="truncate">{c.label}</span>
            {c.note && <span className="ms-auto shrink-0 truncate ps-2 text-xs text-muted">{c.note}</span>}
          </div>
        ))}
      </div>
      {found.data && offered.length === 0 && <p className="text-xs text-muted">{t.common.nothingToPick}</p>}
    </div>
  );
}
