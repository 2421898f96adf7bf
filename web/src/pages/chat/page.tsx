import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { Bot, PanelLeft, Settings2 } from 'lucide-react';
import { useCallback, useEffect, useState } from 'react';
import { agentQuery, agentsQuery, responsesQuery, threadsQuery } from '../../api/queries';
import type { Agent, AgentResponse } from '../../api/types';
import { useKeys, useTitle, useWide } from '../../lib/hooks';
import { t } from '../../strings';
import { IconButton } from '../../ui/button';
import { Sheet } from '../../ui/dialog';
import { EmptyState, ErrorState, Skeleton } from '../../ui/state';
import { Conversation } from './conversation';
import { PassagePane } from './passage';
import { CreateAgentLink, Threads } from './threads';

const lastAgent = 'atrium.agent';

export function ChatPage() {
  const { agentId } = useParams({ strict: false });
  if (agentId === undefined) return <FindAgent />;
  return <ChatWith agentId={Number(agentId)} />;
}

/** Goes on with the agent that was used last, else with the oldest that answers: on a new server the Guide. */
function FindAgent() {
  const agents = useQuery(agentsQuery);
  const navigate = useNavigate();
  const kept = Number(localStorage.getItem(lastAgent));
  const agent = agents.data?.find((a) => a.id === kept) ?? agents.data?.findLast((a) => a.status === 'Live') ?? agents.data?.[0];
  useTitle(t.chat.title);
  useEffect(() => {
    if (agent) void navigate({ to: '/chat/$agentId', params: { agentId: String(agent.id) }, replace: true });
  }, [agent, navigate]);
  return (
    <main className="min-h-0 grow overflow-y-auto">
      {agents.error && <ErrorState error={agents.error} retry={() => void agents.refetch()} />}
      {agents.data?.length === 0 && (
        <EmptyState icon={<Bot aria-hidden />} title={t.chat.noAgents} text={t.chat.noAgentsText}>
          <CreateAgentLink />
        </EmptyState>
      )}
    </main>
  );
}

function ChatWith({ agentId }: { agentId: number }) {
  const agent = useQuery(agentQuery(agentId));
  useEffect(() => {
    if (agent.data) localStorage.setItem(lastAgent, String(agent.data.id));
  }, [agent.data]);
  if (agent.error) {
    return (
      <main className="grow">
        <ErrorState error={agent.error} retry={() => void agent.refetch()} />
      </main>
    );
  }
  if (!agent.data) {
    return (
      <main className="grow p-6">
        <Skeleton />
      </main>
    );
  }
  return <Chat agent={agent.data} />;
}

function Chat({ agent }: { agent: Agent }) {
  const params = useParams({ strict: false });
  const threadId = params.threadId === undefined ? undefined : Number(params.threadId);
  const navigate = useNavigate();
  const wide = useWide();
  const [listOpen, setListOpen] = useState(false);
  const { data: threads } = useQuery(threadsQuery(agent.id));
  const title = threads?.find((x) => x.id === threadId)?.title;
  useTitle(title || agent.agent_name);
  const source = useSource(threadId);

  const agentId = String(agent.id);
  const onThread = useCallback(
    (id: number) => void navigate({ to: '/chat/$agentId/$threadId', params: { agentId, threadId: String(id) }, replace: true }),
    [navigate, agentId],
  );
  const onCite = useCallback((r: AgentResponse, number: number) => source.open(r.id, number), [source]);
  const closeList = useCallback(() => setListOpen(false), []);
  const list = <Threads agent={agent} threadId={threadId} onOpen={closeList} />;
  const pane = source.reference && (
    <PassagePane reference={source.reference} references={source.references} onGo={source.go} onClose={source.close} />
  );
  return (
    <div className="flex min-h-0 grow">
      {wide ? (
        <aside aria-label={t.chat.threads} className="flex w-68 shrink-0 flex-col border-e border-line bg-sunken">
          {list}
        </aside>
      ) : (
        <Sheet open={listOpen} onClose={closeList} title={t.chat.threads} side="start">
          {list}
        </Sheet>
      )}
      <main className="flex min-h-0 min-w-0 grow flex-col">
        <header className="flex h-14 shrink-0 items-center gap-2 border-b border-line px-3 lg:px-6">
          {!wide && (
            <IconButton label={t.chat.showThreads} onClick={() => setListOpen(true)}>
              <PanelLeft className="rtl:rotate-180" />
            </IconButton>
          )}
          <h1 className="min-w-0 grow truncate text-base font-semibold">
            <bdi>{threadId === undefined ? t.chat.newThread : title || t.chat.untitled}</bdi>
          </h1>
          <Link
            to="/agents/$agentId"
            params={{ agentId }}
            aria-label={`${t.chat.openAgent}: ${agent.agent_name}`}
            title={t.chat.openAgent}
            className="inline-flex size-8 shrink-0 items-center justify-center rounded-md text-muted hover:bg-hover hover:text-text"
          >
            <Settings2 className="size-4" aria-hidden />
          </Link>
        </header>
        {/* Another agent is another conversation: nothing of a draft goes along. */}
        <Conversation key={agent.id} agent={agent} threadId={threadId} onThread={onThread} onCite={onCite} />
      </main>
      {wide
        ? pane && (
            <aside data-pane aria-label={t.chat.passageTitle} className="fade-in flex w-[26rem] shrink-0 flex-col border-s border-line">
              {pane}
            </aside>
          )
        : pane && (
            <Sheet open onClose={source.close} title={t.chat.passageTitle} side="end">
              {pane}
            </Sheet>
          )}
    </div>
  );
}

/** The source that the address names, so that it can be shared and Back closes it. */
function useSource(threadId: number | undefined) {
  const { cite } = useSearch({ from: '/app/chat' });
  const navigate = useNavigate();
  const { data } = useQuery({ ...responsesQuery(threadId ?? 0), enabled: threadId !== undefined });
  const [responseId, number] = (cite ?? '').split('-').map(Number);
  const references = data?.find((r) => r.id === responseId)?.response.references ?? [];
  const reference = references.find((r) => r.number === number);
  const set = useCallback(
    (value: string | undefined, replace: boolean) => void navigate({ to: '.', search: { cite: value }, replace }),
    [navigate],
  );
  const close = useCallback(() => set(undefined, true), [set]);
  const open = useCallback((id: number, n: number) => set(`${id}-${n}`, false), [set]);
  useKeys(
    useCallback(
      (e) => {
        if (e.key !== 'Escape' || !reference || document.querySelector('[role=dialog],[role=alertdialog],[role=menu]')) return;
        e.preventDefault();
        close();
      },
      [reference, close],
    ),
  );
  return { reference, references, open, close, go: (n: number) => set(`${responseId}-${n}`, true) };
}
