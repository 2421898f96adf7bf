import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useState } from 'react';
import { api, take } from '../../api/client';
import { ApiError } from '../../api/error';
import { keys, threadDocumentsQuery } from '../../api/queries';
import type { Doc } from '../../api/types';
import type { Dropped } from '../../lib/drop';
import { send } from '../../lib/upload';
import { t } from '../../strings';
import { isSettled } from '../knowledge/steps';

/** A file of the conversation as its chip shows it. */
export interface Attachment {
  key: string;
  name: string;
  state: 'sending' | 'indexing' | 'done' | 'failed';
  sent: number;
  error: ApiError | undefined;
  documentId: number | undefined;
}

const basicMode = 3; // attachments are read once, quickly
const pollEvery = 700; // milliseconds

/** The files of a thread: those that are there and those on their way. */
export function useAttachments(threadId: number | undefined) {
  const queryClient = useQueryClient();
  const [fresh, setFresh] = useState<{ threadId: number; list: Attachment[] }>();
  const { data: stored } = useQuery({ ...threadDocumentsQuery(threadId ?? 0), enabled: threadId !== undefined });
  const onTheWay = fresh && fresh.threadId === threadId ? fresh.list : [];
  const known = new Set(onTheWay.map((a) => a.documentId));
  const list = [...(stored ?? []).filter((d) => !known.has(d.id)).map(fromDoc), ...onTheWay];

  const add = useCallback(
    async (thread: number, files: Dropped[]) => {
      const start: Attachment[] = files.map((f, i) => ({
        key: `${Date.now()}-${i}`,
        name: f.path,
        state: 'sending',
        sent: 0,
        error: undefined,
        documentId: undefined,
      }));
      setFresh((now) => ({ threadId: thread, list: [...(now?.threadId === thread ? now.list : []), ...start] }));
      const change = (key: string, part: Partial<Attachment>) =>
        setFresh((now) => now && { ...now, list: now.list.map((a) => (a.key === key ? { ...a, ...part } : a)) });
      try {
        const corpusId = await attachmentCorpus(thread);
        await Promise.all(
          files.map(async (f, i) => {
            const key = start[i]?.key ?? '';
            try {
              const documentId = await send(
                corpusId,
                { kind: 'file', name: f.path, size: f.file.size, file: f.file },
                { attachment: true, progress: (sent) => change(key, { sent }) },
              );
              change(key, { state: 'indexing', documentId });
              const doc = await untilSettled(documentId);
              change(key, doc.is_failed ? { state: 'failed', error: new ApiError(0, doc.failure_reason ?? '') } : { state: 'done' });
            } catch (e) {
              change(key, { state: 'failed', error: asError(e) });
            }
          }),
        );
      } catch (e) {
        for (const a of start) change(a.key, { state: 'failed', error: asError(e) });
      }
      await queryClient.invalidateQueries({ queryKey: keys.threadDocuments(thread) });
    },
    [queryClient],
  );

  const remove = useCallback(
    async (a: Attachment) => {
      if (a.documentId !== undefined) {
        await api.DELETE('/api/v2/documents/{document_id}', { params: { path: { document_id: a.documentId } } });
      }
      setFresh((now) => now && { ...now, list: now.list.filter((x) => x.key !== a.key) });
      if (threadId !== undefined) await queryClient.invalidateQueries({ queryKey: keys.threadDocuments(threadId) });
    },
    [queryClient, threadId],
  );

  return { list, add, remove };
}

function fromDoc(d: Doc): Attachment {
  return {
    key: `d${d.id}`,
    name: d.name,
    state: d.is_failed ? 'failed' : isSettled(d) ? 'done' : 'indexing',
    sent: 1,
    error: d.is_failed ? new ApiError(0, d.failure_reason ?? '') : undefined,
    documentId: d.id,
  };
}

function asError(e: unknown): ApiError {
  return e instanceof ApiError ? e : new ApiError(0, '');
}

/** The corpus of a thread's files; made and linked with the first of them. */
async function attachmentCorpus(threadId: number): Promise<number> {
  const path = { chat_thread_id: threadId };
  const thread = await take(api.GET('/api/v2/chat-threads/{chat_thread_id}', { params: { path } }));
  if (thread.corpus_id) return thread.corpus_id;
  const corpus = await take(
    api.POST('/api/v2/corpora', {
      body: { name: t.chat.attachmentCorpus(threadId), corpus_type: 'attachment', indexing_mode_id: basicMode },
    }),
  );
  await api.POST('/api/v2/chat-threads/{chat_thread_id}/corpora/{corpus_id}', {
    params: { path: { ...path, corpus_id: corpus.id } },
  });
  return corpus.id;
}

async function untilSettled(documentId: number): Promise<Doc> {
  for (;;) {
    const doc = await take(
      api.GET('/api/v2/documents/{document_id}', { params: { path: { document_id: documentId } } }),
    );
    if (isSettled(doc)) return doc;
    await new Promise((r) => setTimeout(r, pollEvery));
  }
}
