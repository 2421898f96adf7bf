import { ApiError, failure } from '../api/error';
import { api, noticeSignedOut } from '../api/client';
import type { Dropped } from './drop';

/** Something to put into a corpus. */
export type Source =
  | { kind: 'file'; name: string; size: number; file: File }
  | { kind: 'weblink'; name: string; url: string; as?: 'youtube' }
  | { kind: 'text'; name: string; text: string };

/** One upload as the list shows it; a new object for each change. */
export interface Upload {
  id: number;
  corpusId: number;
  source: Source;
  state: 'queued' | 'sending' | 'done' | 'failed';
  /** The part that the server has taken, 0 to 1. */
  sent: number;
  documentId: number | undefined;
  error: ApiError | undefined;
}

const atOnce = 3;

/** Sends one source; progress is told as a part from 0 to 1. Resolves to the document's id. */
export function send(
  corpusId: number,
  source: Source,
  options: { attachment?: boolean; progress?: (part: number) => void; signal?: AbortSignal } = {},
): Promise<number> {
  const form = new FormData();
  form.set('content_type', source.kind);
  form.set('upload_from', 'web');
  if (options.attachment) form.set('attachment', 'true');
  if (source.kind === 'weblink' && source.as) form.set('weblink_type', source.as);
  if (source.kind === 'file') form.set('source', source.file, source.name);
  else form.set('source', source.kind === 'weblink' ? source.url : source.text);
  return new Promise((resolve, reject) => {
    // fetch cannot tell how much of a body has been sent.
    const xhr = new XMLHttpRequest();
    xhr.open('POST', `/indexing-service/api/v2/corpora/${corpusId}/documents`);
    xhr.upload.onprogress = (e) => e.lengthComputable && options.progress?.(e.loaded / e.total);
    xhr.onload = () => {
      if (xhr.status >= 200 && xhr.status < 300) {
        const answer = JSON.parse(xhr.responseText) as { data: { id: number } };
        resolve(answer.data.id);
        return;
      }
      noticeSignedOut(xhr.responseURL, xhr.status);
      reject(failure(xhr.status, xhr.responseText, xhr.getResponseHeader('X-Request-Id') ?? ''));
    };
    xhr.onerror = () => reject(new ApiError(0, ''));
    xhr.onabort = () => reject(new ApiError(0, '', 'stopped'));
    options.signal?.addEventListener('abort', () => xhr.abort(), { once: true });
    xhr.send(form);
  });
}

/** Files as sources, named by their paths. */
export function fromFiles(files: Dropped[]): Source[] {
  return files.map((f) => ({ kind: 'file', name: f.path, size: f.file.size, file: f.file }));
}

/** Names a document; a text brings no name of its own. */
async function rename(documentId: number, name: string): Promise<void> {
  await api.PUT('/api/v2/documents/{document_id}', { params: { path: { document_id: documentId } }, body: { name } });
}

/** The uploads of this tab. They go on when the person looks at another view. */
export class Uploads {
  private list: Upload[] = [];
  private next = 1;
  private listeners = new Set<() => void>();
  private readonly send: typeof send;
  /** Told when an upload became a document. */
  arrived: (corpusId: number) => void = () => undefined;

  private readonly rename: typeof rename;

  constructor(sender: typeof send = send, renamer: typeof rename = rename) {
    this.send = sender;
    this.rename = renamer;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  snapshot = (): Upload[] => this.list;

  add(corpusId: number, sources: Source[]): void {
    const fresh = sources.map(
      (source): Upload => ({ id: this.next++, corpusId, source, state: 'queued', sent: 0, documentId: undefined, error: undefined }),
    );
    this.list = [...this.list, ...fresh];
    this.tell();
    this.pump();
  }

  retry(id: number): void {
    this.change(id, { state: 'queued', sent: 0, error: undefined });
    this.pump();
  }

  dismiss(id: number): void {
    this.list = this.list.filter((u) => u.id !== id);
    this.tell();
  }

  private pump(): void {
    const running = this.list.filter((u) => u.state === 'sending').length;
    for (const u of this.list.filter((x) => x.state === 'queued').slice(0, Math.max(0, atOnce - running))) void this.run(u);
  }

  private async run(u: Upload): Promise<void> {
    this.change(u.id, { state: 'sending' });
    try {
      const documentId = await this.send(u.corpusId, u.source, { progress: (sent) => this.change(u.id, { sent }) });
      if (u.source.kind === 'text' && u.source.name) await this.rename(documentId, u.source.name);
      this.change(u.id, { state: 'done', sent: 1, documentId });
      this.arrived(u.corpusId);
    } catch (e) {
      this.change(u.id, { state: 'failed', error: e instanceof ApiError ? e : new ApiError(0, '') });
    }
    this.pump();
  }

  private change(id: number, part: Partial<Upload>): void {
    this.list = this.list.map((u) => (u.id === id ? { ...u, ...part } : u));
    this.tell();
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}

export const uploads = new Uploads();
