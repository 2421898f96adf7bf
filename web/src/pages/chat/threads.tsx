import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { ChevronsUpDown, MoreHorizontal, Pencil, SquarePen, Trash2 } from 'lucide-react';
import { type FormEvent, useMemo, useState, useSyncExternalStore } from 'react';
import { api } from '../../api/client';
import { agentsQuery, keys, threadsQuery } from '../../api/queries';
import type { Agent, Thread } from '../../api/types';
import { byDateGroup } from '../../lib/dates';
import { useNow } from '../../lib/hooks';
import { undoList } from '../../lib/undo';
import { t } from '../../strings';
import { Button, buttonClass } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { Field, Input, SearchInput } from '../../ui/field';
import { Menu, MenuChoice, MenuItem } from '../../ui/menu';
import { ErrorLine, Skeleton } from '../../ui/state';
import { sayError } from '../../ui/toast';
import { AgentFace } from './face';

const searchFrom = 12; // fewer threads are found by looking

/** The pane with the agent and its conversations. */
export function Threads({ agent, threadId, onOpen }: { agent: Agent; threadId: number | undefined; onOpen: () => void }) {
  const { data: threads, error, isPending, refetch } = useQuery(threadsQuery(agent.id));
  const leaving = useSyncExternalStore(undoList.subscribe, undoList.snapshot);
  const [search, setSearch] = useState('');
  const [renaming, setRenaming] = useState<Thread>();
  const now = useNow();
  const groups = useMemo(() => {
    const word = search.trim().toLocaleLowerCase();
    const gone = new Set(leaving.map((p) => p.subject));
    const found = (threads ?? []).filter((x) => !gone.has(`thread:${x.id}`) && (!word || (x.title || t.chat.untitled).toLocaleLowerCase().includes(word)));
    return byDateGroup(found, (x) => x.modified_on || x.created_on, now);
  }, [threads, search, now, leaving]);
  const remove = useRemove(agent.id, threadId);
  return (
    <>
      <div className="flex h-14 shrink-0 items-center gap-1 border-b border-line px-3">
        <AgentPicker agent={agent} onOpen={onOpen} />
        <Link
          to="/chat/$agentId"
          params={{ agentId: String(agent.id) }}
          onClick={onOpen}
          aria-label={t.chat.newThread}
          title={t.chat.newThread}
          className="inline-flex size-8 shrink-0 items-center justify-center rounded-md text-muted hover:bg-hover hover:text-text"
        >
          <SquarePen className="size-4" aria-hidden />
        </Link>
      </div>
      {(threads?.length ?? 0) > searchFrom && (
        <div className="px-3 pt-3">
          <SearchInput label={t.chat.searchThreads} value={search} onChange={(e) => setSearch(e.target.value)} />
        </div>
      )}
      <nav aria-label={t.chat.threads} className="min-h-0 grow overflow-y-auto px-2 py-3">
        {isPending && <Skeleton row="h-8" className="px-1" />}
        {error && (
          <div className="flex flex-col gap-2">
            <ErrorLine error={error} />
            <Button small onClick={() => void refetch()}>
              {t.common.retry}
            </Button>
          </div>
        )}
        {threads?.length === 0 && <p className="px-2 text-muted">{t.chat.noThreads}</p>}
        {search.trim() !== '' && groups.length === 0 && <p className="px-2 text-muted">{t.palette.empty}</p>}
        {groups.map(([group, list]) => (
          <section key={group} aria-label={t.chat.groups[group]} className="mb-3">
            <h2 className="px-2 pb-1 text-xs text-muted">{t.chat.groups[group]}</h2>
            <ul>
              {list.map((x) => (
                <Row key={x.id} agentId={agent.id} thread={x} active={x.id === threadId} onOpen={onOpen} onRename={setRenaming} onDelete={remove} />
              ))}
            </ul>
          </section>
        ))}
      </nav>
      {renaming && <Rename agentId={agent.id} thread={renaming} onClose={() => setRenaming(undefined)} />}
    </>
  );
}

function Row({
  agentId,
  thread,
  active,
  onOpen,
  onRename,
  onDelete,
}: {
  agentId: number;
  thread: Thread;
  active: boolean;
  onOpen: () => void;
  onRename: (t: Thread) => void;
  onDelete: (t: Thread) => void;
}) {
  const title = thread.title || t.chat.untitled;
  return (
    <li className="group relative [contain-intrinsic-size:auto_2.25rem] [content-visibility:auto]">
      <Link
        to="/chat/$agentId/$threadId"
        params={{ agentId: String(agentId), threadId: String(thread.id) }}
        onClick={onOpen}
        aria-current={active ? 'page' : undefined}
        title={title}
        className="block truncate rounded-md py-1.5 ps-2 pe-9 hover:bg-hover aria-[current]:bg-hover aria-[current]:font-medium"
      >
        <bdi>{title}</bdi>
      </Link>
      <div className="absolute inset-y-0 end-0.5 flex items-center opacity-0 group-focus-within:opacity-100 group-hover:opacity-100 has-data-[state=open]:opacity-100 max-lg:opacity-100">
        <Menu
          trigger={
            <button
              type="button"
              aria-label={`${t.common.more}: ${title}`}
              className="flex size-7 items-center justify-center rounded text-muted hover:text-text"
            >
              <MoreHorizontal className="size-4" aria-hidden />
            </button>
          }
        >
          <MenuItem onSelect={() => onRename(thread)}>
            <Pencil aria-hidden />
            {t.common.rename}
          </MenuItem>
          <MenuItem danger onSelect={() => onDelete(thread)}>
            <Trash2 aria-hidden />
            {t.common.delete}
          </MenuItem>
        </Menu>
      </div>
    </li>
  );
}

/** Takes a thread out of the list at once and off the server when it can no longer be undone. */
function useRemove(agentId: number, openThread: number | undefined) {
  const queryClient = useQueryClient();
  const navigate = useNavigate();
  return (thread: Thread) => {
    if (thread.id === openThread) void navigate({ to: '/chat/$agentId', params: { agentId: String(agentId) } });
    undoList.add(t.chat.deleted(thread.title || t.chat.untitled), `thread:${thread.id}`, {
      undone: () => undefined,
      commit: () => {
        const key = keys.threads(agentId);
        queryClient.setQueryData<Thread[]>(key, (list) => list?.filter((x) => x.id !== thread.id));
        api
          .DELETE('/api/v2/chat-threads/{chat_thread_id}', { params: { path: { chat_thread_id: thread.id } }, keepalive: true })
          .catch((e: unknown) => {
            sayError(e);
            void queryClient.invalidateQueries({ queryKey: key });
          });
      },
    });
  };
}

function Rename({ agentId, thread, onClose }: { agentId: number; thread: Thread; onClose: () => void }) {
  const queryClient = useQueryClient();
  const [title, setTitle] = useState(thread.title ?? '');
  const save = useMutation({
    mutationFn: () =>
      api.PUT('/api/v2/chat-threads/{chat_thread_id}', {
        params: { path: { chat_thread_id: thread.id } },
        body: { title: title.trim() },
      }),
    meta: { ownError: true },
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: keys.threads(agentId) });
      onClose();
    },
  });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (title.trim()) save.mutate();
  };
  return (
    <Dialog open onClose={onClose} title={t.chat.renameTitle}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label={t.common.name}>
          {(f) => <Input {...f} autoFocus maxLength={200} value={title} onChange={(e) => setTitle(e.target.value)} onFocus={(e) => e.target.select()} />}
        </Field>
        {save.error && <ErrorLine error={save.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t.common.cancel}</Button>
          <Button type="submit" look="primary" disabled={!title.trim() || save.isPending}>
            {t.common.save}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function AgentPicker({ agent, onOpen }: { agent: Agent; onOpen: () => void }) {
  const { data: agents } = useQuery(agentsQuery);
  const navigate = useNavigate();
  return (
    <Menu
      align="start"
      trigger={
        <button type="button" aria-label={`${t.chat.chooseAgent}: ${agent.agent_name}`} className="flex h-10 min-w-0 grow items-center gap-2 rounded-md px-2 hover:bg-hover">
          <AgentFace agent={agent} small />
          <span className="truncate font-semibold">{agent.agent_name}</span>
          <ChevronsUpDown className="ms-auto size-4 shrink-0 text-muted" aria-hidden />
        </button>
      }
    >
      <div className="max-h-80 max-w-72 overflow-y-auto">
        <MenuChoice
          value={String(agent.id)}
          options={(agents ?? [agent]).map((a) => [String(a.id), a.agent_name])}
          onChange={(id) => {
            onOpen();
            void navigate({ to: '/chat/$agentId', params: { agentId: id } });
          }}
        />
      </div>
    </Menu>
  );
}

/** The next step of somebody who has no agent yet. */
export function CreateAgentLink() {
  return (
    <Link to="/agents/$agentId" params={{ agentId: 'new' }} className={buttonClass('primary')}>
      {t.chat.createAgent}
    </Link>
  );
}
