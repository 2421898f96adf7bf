import { useQueries, useQuery, useQueryClient } from '@tanstack/react-query';
import { ArrowDown } from 'lucide-react';
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import { agentCorporaQuery, agentStartersQuery, corporaQuery, corpusStartersQuery, responsesQuery } from '../../api/queries';
import type { Agent, AgentResponse } from '../../api/types';
import type { Dropped } from '../../lib/drop';
import { typing, useKeys } from '../../lib/hooks';
import type { LiveAnswer, LiveState } from '../../lib/live';
import { t } from '../../strings';
import { ts } from '../../strings.search';
import { IconButton } from '../../ui/button';
import { DropZone } from '../../ui/dropzone';
import { ErrorState, Skeleton } from '../../ui/state';
import { sayError } from '../../ui/toast';
import { createThread, useAsk, useRevive } from './ask';
import { useAttachments } from './attachments';
import { Composer } from './composer';
import { AgentFace } from './face';
import { lives, useLive } from './lives';
import { Turn, type TurnActs } from './turn';

const near = 120; // pixels from the end that still count as being there

/** The questions and answers of one thread, and where the next is asked. */
export function Conversation({
  agent,
  threadId,
  onThread,
  onCite,
}: {
  agent: Agent;
  threadId: number | undefined;
  /** A new thread has begun with the first question or file. */
  onThread: (id: number) => void;
  onCite: (response: AgentResponse, number: number) => void;
}) {
  const queryClient = useQueryClient();
  const responses = useQuery({ ...responsesQuery(threadId ?? 0), enabled: threadId !== undefined });
  const live = useLive(threadId);
  useRevive(agent.id, threadId, responses.data);
  const state = useLiveState(live);
  const busy = state === 'waiting' || state === 'writing';
  const [draft, setDraft] = useState('');
  const field = useRef<HTMLTextAreaElement>(null);
  const attachments = useAttachments(threadId);
  const ask = useAsk(agent.id);
  const { scroller, content, away, toEnd } = useStickToEnd(threadId);
  const inactive = agent.status === 'Inactive';
  const withFiles = attachments.list.some((a) => a.state === 'done');

  const thread = useCallback(async () => {
    if (threadId !== undefined) return threadId;
    const id = await createThread(queryClient, agent.id);
    onThread(id);
    return id;
  }, [threadId, agent.id, onThread, queryClient]);

  const put = useCallback(
    async (question: string, fresh: boolean) => {
      try {
        ask(await thread(), question, { fresh, withFiles });
        toEnd();
      } catch (e) {
        setDraft((now) => now || question);
        sayError(e);
      }
    },
    [ask, thread, withFiles, toEnd],
  );

  // The turns are drawn once: what they call must not change with each draft.
  const latest = useRef({ put, onCite });
  useEffect(() => {
    latest.current = { put, onCite };
  });
  const acts = useMemo<TurnActs>(
    () => ({
      ask: (question, fresh) => void latest.current.put(question, fresh),
      cite: (response, number) => latest.current.onCite(response, number),
    }),
    [],
  );

  const addFiles = (files: Dropped[]) => void thread().then((id) => attachments.add(id, files), sayError);

  useKeys(
    useCallback(
      (e) => {
        if (e.key === '/' && !typing(e) && !e.ctrlKey && !e.metaKey) {
          e.preventDefault();
          field.current?.focus();
        } else if (e.key === 'Escape' && lives.get(threadId)?.snapshot().state.match(/waiting|writing/)) {
          // A dialog or the drawer closes first.
          if (!document.querySelector('[role=dialog],[role=alertdialog],[role=menu],[data-pane]')) void lives.get(threadId)?.stop();
        }
      },
      [threadId],
    ),
  );

  const stored = responses.data ?? [];
  const liveId = live?.snapshot().responseId;
  // A stored answer that is still on its way is shown by its stream.
  const past = live ? stored.filter((r) => r.id !== liveId) : stored;
  const begun = past.length > 0 || live !== undefined;
  return (
    <DropZone
      onFiles={addFiles}
      title={t.chat.dropHere}
      text={t.chat.dropText}
      disabled={inactive}
      className="flex min-h-0 min-w-0 grow flex-col"
    >
      <div ref={scroller} className="relative min-h-0 grow overflow-y-auto">
        <div ref={content} className="mx-auto flex min-h-full w-full max-w-[46rem] flex-col px-4 py-6 lg:px-6">
          {threadId !== undefined && responses.isPending && !live && <Skeleton rows={7} row="h-5" />}
          {responses.error && !live && <ErrorState error={responses.error} retry={() => void responses.refetch()} />}
          {!begun && (threadId === undefined || responses.data) && <Intro agent={agent} onAsk={(q) => acts.ask(q, false)} />}
          {begun && (
            <div className="flex flex-col gap-8" role="log" aria-label={t.chat.conversation} aria-live="off">
              {/* One list, so that an answer keeps its place when it goes from live to stored. */}
              {[...past, undefined].slice(0, past.length + (live ? 1 : 0)).map((r, i, list) => (
                <Turn
                  key={i}
                  question={r?.question ?? live?.question ?? ''}
                  live={r ? undefined : live}
                  stored={r}
                  agentName={agent.agent_name}
                  last={i === list.length - 1}
                  busy={busy}
                  acts={acts}
                />
              ))}
            </div>
          )}
        </div>
      </div>
      <div className="relative mx-auto w-full max-w-[46rem] px-4 pb-3 lg:px-6 lg:pb-5">
        {away && (
          <IconButton
            label={t.chat.jump}
            side="top"
            onClick={toEnd}
            className="absolute inset-x-0 -top-11 mx-auto rounded-full border border-line bg-raised shadow-float"
          >
            <ArrowDown />
          </IconButton>
        )}
        {inactive && (
          <p role="status" className="mb-2 rounded-md bg-hover px-3 py-2 text-muted">
            {t.chat.inactive}
          </p>
        )}
        <Composer
          field={field}
          agentName={agent.agent_name}
          value={draft}
          onChange={setDraft}
          onAsk={() => {
            setDraft('');
            void put(draft.trim(), false);
          }}
          onFiles={addFiles}
          onRemoveFile={(a) => void attachments.remove(a).catch(sayError)}
          attachments={attachments.list}
          disabled={inactive}
          busy={busy}
          stopping={live?.snapshot().stopping ?? false}
          onStop={() => void live?.stop()}
        />
        {/* Says that work began and ended; the words themselves would drown everything. */}
        <p role="status" className="sr-only">
          {busy ? t.chat.answering : state === 'failed' ? t.chat.failed : stored.length > 0 ? t.chat.answered : ''}
        </p>
      </div>
    </DropZone>
  );
}

/** Follows only the state of a stream, so that its words do not draw the conversation. */
function useLiveState(live: LiveAnswer | undefined): LiveState | undefined {
  return useSyncExternalStore(
    (l) => live?.subscribe(l) ?? (() => undefined),
    () => live?.snapshot().state,
  );
}

/** What the agent is and knows, before the first question. */
function Intro({ agent, onAsk }: { agent: Agent; onAsk: (question: string) => void }) {
  const { data: corpora } = useQuery(agentCorporaQuery(agent.id));
  const enabled = (corpora ?? []).filter((c) => c.is_enabled);
  const known = enabled.map((c) => c.corpus.name);
  const { starters, drafted } = useStarters(agent, enabled.map((c) => c.corpus));
  return (
    <div className="my-auto flex flex-col items-start gap-3 py-8">
      <AgentFace agent={agent} />
      <h2 className="text-xl font-semibold">{agent.agent_name}</h2>
      {agent.description && (
        <p dir="auto" className="max-w-prose text-[0.9375rem] leading-6 text-muted">
          {agent.description}
        </p>
      )}
      {corpora && (
        <p className="text-muted">{known.length > 0 ? `${t.chat.knows}: ${known.join(', ')}` : t.chat.noKnowledge}</p>
      )}
      {starters.length > 0 && agent.status !== 'Inactive' && (
        <div className="mt-3 flex w-full flex-col items-start gap-2">
          <h3 className="text-xs text-muted">{drafted ? ts.starters.drafted : t.chat.starters}</h3>
          {starters.map((q) => (
            <button key={q} type="button" dir="auto" onClick={() => onAsk(q)} className="rounded-lg border border-line px-3 py-2 text-start hover:bg-hover">
              {q}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

const offered = 6; // starters at most
const looked = 3; // corpora that starters are drafted from

/** What people wrote for the agent; without any, what its corpora answer that the person may see. */
function useStarters(agent: Agent, corpora: { id: number; document_count?: number }[]): { starters: string[]; drafted: boolean } {
  const own = useQuery(agentStartersQuery(agent.id));
  const written = (own.data ?? []).map((x) => x.question);
  const ask = own.data !== undefined && written.length === 0;
  const seen = useQuery({ ...corporaQuery, enabled: ask });
  // Whoever may ask an agent need not see its corpora: then there is nothing to offer.
  const filled = corpora.filter((c) => (c.document_count ?? 0) > 0 && seen.data?.some((x) => x.id === c.id)).slice(0, looked);
  const drafts = useQueries({ queries: filled.map((c) => ({ ...corpusStartersQuery(c.id), enabled: ask })) });
  if (!ask) return { starters: written.slice(0, offered), drafted: false };
  const found = drafts.flatMap((d) => (d.data?.conversation_starters ?? []).map((x) => x.question));
  return { starters: [...new Set(found)].slice(0, offered), drafted: true };
}

/** Keeps the newest text in view unless the person has scrolled away from it. */
function useStickToEnd(threadId: number | undefined) {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const stuck = useRef(true);
  const [away, setAway] = useState(false);
  const toEnd = useCallback(() => {
    stuck.current = true;
    scroller.current?.scrollTo({ top: scroller.current.scrollHeight });
  }, []);
  useEffect(() => {
    const el = scroller.current;
    const inner = content.current;
    if (!el || !inner) return;
    const distance = () => el.scrollHeight - el.scrollTop - el.clientHeight;
    const onScroll = () => {
      stuck.current = distance() < near;
      setAway(!stuck.current);
    };
    el.addEventListener('scroll', onScroll, { passive: true });
    const grown = new ResizeObserver(() => {
      if (stuck.current) el.scrollTop = el.scrollHeight;
    });
    grown.observe(inner);
    return () => {
      el.removeEventListener('scroll', onScroll);
      grown.disconnect();
    };
  }, []);
  useEffect(toEnd, [threadId, toEnd]);
  return { scroller, content, away, toEnd };
}
