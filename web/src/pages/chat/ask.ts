import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect } from 'react';
import { api, take } from '../../api/client';
import { keys } from '../../api/queries';
import type { AgentResponse, Thread } from '../../api/types';
import { LiveAnswer, type LiveOutput } from '../../lib/live';
import { lives } from './lives';

export interface AskOptions {
  /** Ask for a new answer even when one is in the cache. */
  fresh?: boolean;
  withFiles?: boolean;
}

/** Makes a thread, so that its address is known before the first word comes. */
export async function createThread(queryClient: QueryClient, agentId: number): Promise<number> {
  const thread = await take(
    api.POST('/api/v2/agents/{agent_id}/chat-threads', { params: { path: { agent_id: agentId } }, body: {} }),
  );
  queryClient.setQueryData(keys.responses(thread.id), []);
  queryClient.setQueryData<Thread[]>(keys.threads(agentId), (list) => list && [thread, ...list]);
  return thread.id;
}

/** Asks in a thread; the answer stands in lives until it is stored. */
export function useAsk(agentId: number): (threadId: number, question: string, options?: AskOptions) => void {
  const queryClient = useQueryClient();
  return useCallback(
    (threadId, question, options = {}) => {
      const live = new LiveAnswer(agentId, question);
      lives.set(threadId, live);
      nameByQuestion(queryClient, agentId, threadId, question);
      const asked = live.ask({
        user_query: question,
        chat_thread_id: threadId,
        ...(options.fresh ? { caching_enabled: false } : {}),
        ...(options.withFiles ? { is_file_attached: true } : {}),
        overrides: { suggest_followup_questions: true },
      });
      void asked.then(() => settle(queryClient, threadId, live));
    },
    [agentId, queryClient],
  );
}

/** The first question names the thread; the server's own form of it comes with the answer. */
function nameByQuestion(queryClient: QueryClient, agentId: number, threadId: number, question: string): void {
  if ((queryClient.getQueryData<AgentResponse[]>(keys.responses(threadId)) ?? []).length > 0) return;
  const title = question.length > 80 ? `${question.slice(0, 79)}…` : question;
  queryClient.setQueryData<Thread[]>(keys.threads(agentId), (list) =>
    list?.map((x) => (x.id === threadId ? { ...x, title } : x)),
  );
}

/** Follows an answer that was begun elsewhere or before a reload of the tab. */
export function useRevive(agentId: number, threadId: number | undefined, stored: AgentResponse[] | undefined): void {
  const queryClient = useQueryClient();
  const last = stored?.at(-1);
  const running = last?.state === 'running' ? last : undefined;
  useEffect(() => {
    if (threadId === undefined || !running || lives.get(threadId)) return;
    const live = new LiveAnswer(agentId, running.question);
    lives.set(threadId, live);
    void live.resume(running.id).then(() => settle(queryClient, threadId, live));
  }, [agentId, threadId, running, queryClient]);
}

/** Moves a finished answer from lives into the thread's list. */
async function settle(queryClient: QueryClient, threadId: number, live: LiveAnswer): Promise<void> {
  const view = live.snapshot();
  void queryClient.invalidateQueries({ queryKey: keys.threads(live.agentId) });
  if (view.state !== 'done' || !view.output) return; // a failure stays on show until the next question
  const stored = fromOutput(threadId, live.question, view.output);
  await queryClient.cancelQueries({ queryKey: keys.responses(threadId) });
  queryClient.setQueryData<AgentResponse[]>(keys.responses(threadId), (list = []) =>
    list.some((r) => r.id === stored.id) ? list.map((r) => (r.id === stored.id ? stored : r)) : [...list, stored],
  );
  if (lives.get(threadId) === live) lives.delete(threadId);
  // The stored form also has the steps with their times.
  void queryClient.invalidateQueries({ queryKey: keys.responses(threadId) });
}

function fromOutput(threadId: number, question: string, output: LiveOutput): AgentResponse {
  return {
    id: output.agent_response_id,
    question,
    state: 'completed',
    thread: { id: threadId },
    comments: [],
    feedback: [],
    response: { ...output, success: true },
    response_steps: [],
    created_on: new Date().toISOString(),
  } as unknown as AgentResponse;
}
