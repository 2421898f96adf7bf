import { useQueries, useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { BookOpen, Bot, Code, type LucideIcon, MessageSquare, Plus, Search, TextSearch } from 'lucide-react';
import { Dialog } from 'radix-ui';
import { type KeyboardEvent, useEffect, useId, useMemo, useRef, useState } from 'react';
import { agentsQuery, corporaQuery, threadsQuery } from '../api/queries';
import { t } from '../strings';
import { ts } from '../strings.search';
import { cx } from '../ui/cx';

interface Entry {
  key: string;
  group: string;
  label: string;
  note?: string;
  icon: LucideIcon;
  go: () => void;
}

const most = 8; // of each kind

/** Each word must stand somewhere in the text. */
export function matches(text: string, search: string): boolean {
  const folded = text.toLocaleLowerCase();
  return search
    .toLocaleLowerCase()
    .split(/\s+/)
    .every((word) => folded.includes(word));
}

/** The search over everything that a person can open. */
export default function Palette({ onClose }: { onClose: () => void }) {
  const [search, setSearch] = useState('');
  const [active, setActive] = useState(0);
  const listId = useId();
  const list = useRef<HTMLDivElement>(null);
  const entries = useEntries(search);
  const at = Math.min(active, entries.length - 1);

  useEffect(() => {
    list.current?.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest' });
  }, [at]);

  const run = (entry: Entry | undefined) => {
    if (!entry) return;
    onClose();
    entry.go();
  };
  const onKeyDown = (e: KeyboardEvent) => {
    if (e.key === 'ArrowDown') setActive((at + 1) % Math.max(1, entries.length));
    else if (e.key === 'ArrowUp') setActive((at - 1 + entries.length) % Math.max(1, entries.length));
    else if (e.key === 'Enter' && !e.nativeEvent.isComposing) run(entries[at]);
    else return;
    e.preventDefault();
  };
  return (
    <Dialog.Root open onOpenChange={(o) => !o && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="fade-in fixed inset-0 z-40 bg-black/40" />
        <Dialog.Content
          aria-describedby={undefined}
          className="float-in fixed inset-x-0 top-[10vh] z-50 mx-auto flex max-h-[70vh] w-[calc(100%-2rem)] max-w-xl flex-col overflow-hidden rounded-lg border border-line bg-raised shadow-float"
        >
          <Dialog.Title className="sr-only">{t.palette.title}</Dialog.Title>
          <div className="flex items-center gap-2 border-b border-line px-4">
            <Search className="size-4 text-muted" aria-hidden />
            <input
              autoFocus
              role="combobox"
              aria-expanded
              aria-controls={listId}
              aria-activedescendant={entries[at] ? `${listId}-${at}` : undefined}
              aria-label={t.palette.title}
              placeholder={t.palette.placeholder}
              value={search}
              onChange={(e) => {
                setSearch(e.target.value);
                setActive(0);
              }}
              onKeyDown={onKeyDown}
              className="h-12 grow bg-transparent outline-none placeholder:text-muted"
            />
          </div>
          <div ref={list} id={listId} role="listbox" aria-label={t.palette.title} className="min-h-0 overflow-y-auto p-2">
            {entries.length === 0 && <p className="px-2 py-6 text-center text-muted">{t.palette.empty}</p>}
            {entries.map((entry, i) => (
              <div key={entry.key}>
                {entries[i - 1]?.group !== entry.group && (
                  <div role="presentation" className="px-2 pt-2 pb-1 text-xs text-muted">
                    {entry.group}
                  </div>
                )}
                {/* The field has the focus and the keys; the pointer only needs a press. */}
                {/* eslint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus */}
                <div
                  id={`${listId}-${i}`}
                  role="option"
                  aria-selected={i === at}
                  onClick={() => run(entry)}
                  onPointerMove={() => setActive(i)}
                  className={cx('flex h-9 cursor-pointer items-center gap-2 rounded-md px-2', i === at && 'bg-hover')}
                >
                  <entry.icon className="size-4 shrink-0 text-muted" aria-hidden />
                  <span className="truncate">{entry.label}</span>
                  {entry.note && <span className="ms-auto shrink-0 truncate ps-2 text-xs text-muted">{entry.note}</span>}
                </div>
              </div>
            ))}
          </div>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function useEntries(search: string): Entry[] {
  const navigate = useNavigate();
  const { data: agents } = useQuery(agentsQuery);
  const { data: corpora } = useQuery(corporaQuery);
  // Threads are listed by agent; the newest agents are those people search in.
  const threads = useQueries({ queries: (agents ?? []).slice(0, 10).map((a) => threadsQuery(a.id)) });
  const threadLists = threads.map((q) => q.data);
  const stamp = threads.map((q) => q.dataUpdatedAt).join();
  return useMemo(() => {
    const fits = (text: string) => matches(text, search.trim());
    const out: Entry[] = [];
    for (const a of (agents ?? []).filter((x) => fits(x.agent_name)).slice(0, most)) {
      out.push({
        key: `a${a.id}`,
        group: t.palette.agents,
        label: a.agent_name,
        note: t.palette.newChat,
        icon: Bot,
        go: () => void navigate({ to: '/chat/$agentId', params: { agentId: String(a.id) } }),
      });
    }
    (agents ?? []).forEach((a, i) => {
      for (const thread of (threadLists[i] ?? []).filter((x) => fits(x.title || t.chat.untitled)).slice(0, most)) {
        out.push({
          key: `t${thread.id}`,
          group: t.palette.threads,
          label: thread.title || t.chat.untitled,
          note: a.agent_name,
          icon: MessageSquare,
          go: () =>
            void navigate({ to: '/chat/$agentId/$threadId', params: { agentId: String(a.id), threadId: String(thread.id) } }),
        });
      }
    });
    for (const c of (corpora ?? []).filter((x) => fits(x.name)).slice(0, most)) {
      out.push({
        key: `c${c.id}`,
        group: t.palette.corpora,
        label: c.name,
        icon: BookOpen,
        go: () => void navigate({ to: '/knowledge/$corpusId', params: { corpusId: String(c.id) } }),
      });
    }
    const places: [string, LucideIcon, () => void][] = [
      [t.agents.create, Plus, () => void navigate({ to: '/agents/$agentId', params: { agentId: 'new' } })],
      [t.nav.agents, Bot, () => void navigate({ to: '/agents' })],
      [t.nav.knowledge, BookOpen, () => void navigate({ to: '/knowledge' })],
      [ts.search.open, TextSearch, () => void navigate({ to: '/knowledge/search' })],
      [t.keys.title, Code, () => void navigate({ to: '/developer/keys' })],
    ];
    for (const [label, icon, go] of places) if (fits(label)) out.push({ key: label, group: t.palette.go, label, icon, go });
    return out;
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the stamp stands for the lists
  }, [search, agents, corpora, stamp, navigate]);
}
