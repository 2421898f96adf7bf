import { failureOf, ApiError } from '../api/error';
import { noticeSignedOut } from '../api/client';
import { SseParser } from './sse';

/** A source that an answer cites. start and end count code points of the document's text. */
export interface LiveReference {
  number: number;
  url: string;
  order: number;
  title: string;
  document_id: number;
  version: number;
  page: number | null;
  quote: string;
  start: number;
  end: number;
}

/** What the last event of a stream carries. */
export interface LiveOutput {
  answer: string;
  references: LiveReference[] | null;
  followup_questions: string[] | null;
  thread_id: number;
  chat_thread_name: string;
  agent_response_id: number;
  blocked?: boolean;
}

interface WireEvent {
  step: string;
  message?: string;
  delta?: string;
  success?: boolean;
  output?: Partial<LiveOutput> & { error?: { details?: string } };
}

export type LiveState = 'waiting' | 'writing' | 'done' | 'failed';

/** One moment of an answer that is on its way; a new object for each change. */
export interface LiveView {
  state: LiveState;
  text: string;
  /** The messages of the steps so far, oldest first. */
  steps: string[];
  thoughts: string;
  responseId: number | undefined;
  output: LiveOutput | undefined;
  error: ApiError | undefined;
  /** The connection has been away long enough to say so. */
  reconnecting: boolean;
  stopping: boolean;
}

/** The body of a question, as the stream operation takes it. */
export interface Question {
  user_query: string;
  chat_thread_id: number | null;
  caching_enabled?: boolean;
  is_file_attached?: boolean;
  overrides?: { suggest_followup_questions?: boolean };
}

const saySoAfter = 3000; // milliseconds away before the person is told
const giveUpAfter = 2 * 60_000;
const silence = 60_000; // the server beats more often than this

/**
 * An answer that is being streamed. It lives outside the page, so that leaving
 * the view does not end it, and it goes on by itself after a cut: the rest is
 * asked for from the last event that came.
 */
export class LiveAnswer {
  readonly agentId: number;
  readonly question: string;
  private view: LiveView = {
    state: 'waiting',
    text: '',
    steps: [],
    thoughts: '',
    responseId: undefined,
    output: undefined,
    error: undefined,
    reconnecting: false,
    stopping: false,
  };
  private text: string[] = [];
  private thoughts: string[] = [];
  private steps: string[] = [];
  private lastId = '';
  private listeners = new Set<() => void>();
  private drawing = false;
  private stale = false;
  private abort = new AbortController();

  constructor(agentId: number, question: string) {
    this.agentId = agentId;
    this.question = question;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  snapshot = (): LiveView => this.view;

  /** Sends the question and follows the answer to its end. */
  ask(body: Question): Promise<void> {
    return this.follow(() =>
      fetch(`/response-service/api/v2/agents/${this.agentId}/responses/stream`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream' },
        body: JSON.stringify({ query_source: 'console', ...body }),
        credentials: 'same-origin',
        signal: this.abort.signal,
      }),
    );
  }

  /** Follows an answer that was asked for before, from its first event. */
  resume(responseId: number): Promise<void> {
    this.view = { ...this.view, responseId };
    return this.follow(() => this.reconnect());
  }

  /** Asks the server to end the answer with what there is. */
  async stop(): Promise<void> {
    const id = this.view.responseId;
    if (id === undefined) {
      this.abort.abort();
      this.fail(new ApiError(0, '', 'stopped'));
      return;
    }
    this.set({ stopping: true });
    const response = await fetch(`/api/v2/agent-responses/${id}/stop`, { method: 'POST', credentials: 'same-origin' }).catch(
      () => undefined,
    );
    if (!response?.ok) this.set({ stopping: false });
  }

  private reconnect(): Promise<Response> {
    return fetch(`/api/v2/agent-responses/${this.view.responseId}/stream`, {
      headers: { Accept: 'text/event-stream', ...(this.lastId ? { 'Last-Event-ID': this.lastId } : {}) },
      credentials: 'same-origin',
      signal: this.abort.signal,
    });
  }

  private async follow(open: () => Promise<Response>): Promise<void> {
    let cutAt = 0;
    let wait = 250;
    for (;;) {
      const before = this.lastId;
      try {
        const response = await open();
        if (!response.ok) {
          noticeSignedOut(response.url, response.status);
          const error = await failureOf(response);
          // A restart answers so for a moment; anything else will not get better.
          const passing = cutAt > 0 && (error.status >= 502 || error.status === 429);
          if (!passing) return this.fail(error);
        } else {
          await this.read(response);
        }
      } catch {
        if (this.over() || this.abort.signal.aborted) return;
      }
      if (this.over()) return;
      if (this.view.responseId === undefined) return this.fail(new ApiError(0, ''));
      if (this.lastId !== before) {
        cutAt = 0;
        wait = 250;
      }
      const now = Date.now();
      cutAt ||= now;
      if (now - cutAt > giveUpAfter) return this.fail(new ApiError(0, ''));
      if (now - cutAt > saySoAfter) this.set({ reconnecting: true });
      await new Promise((r) => setTimeout(r, wait));
      wait = Math.min(wait * 2, 4000);
      open = () => this.reconnect();
    }
  }

  private async read(response: Response): Promise<void> {
    const reader = response.body?.getReader();
    if (!reader) return;
    const parser = new SseParser();
    const decoder = new TextDecoder();
    try {
      for (;;) {
        // A dead connection can stay open for minutes: silence counts as a cut.
        const timer = setTimeout(() => void reader.cancel(), silence);
        const { done, value } = await reader.read().finally(() => clearTimeout(timer));
        if (done) return;
        for (const event of parser.push(decoder.decode(value, { stream: true }))) {
          this.take(event.id, event.data);
          if (this.over()) return;
        }
      }
    } finally {
      void reader.cancel().catch(() => undefined);
    }
  }

  private take(id: string, data: string): void {
    if (id) {
      // After a cut the server may send again what had come.
      if (sequence(id) <= sequence(this.lastId)) return;
      this.lastId = id;
    }
    let event: WireEvent;
    try {
      event = JSON.parse(data) as WireEvent;
    } catch {
      return;
    }
    if (this.view.responseId === undefined && id) {
      const responseId = Number(id.slice(0, id.lastIndexOf('-')));
      if (Number.isInteger(responseId)) this.set({ responseId });
    }
    if (this.view.reconnecting) this.set({ reconnecting: false });
    switch (event.step) {
      case 'assistant_stream':
        this.text.push(event.delta ?? '');
        break;
      case 'tools_stream':
        this.thoughts.push(event.delta ?? '');
        break;
      case 'restart':
        // The server went away in the middle and answers from the beginning.
        this.text = [];
        break;
      case 'end':
        this.view = {
          ...this.compose(),
          state: 'done',
          text: event.output?.answer ?? this.text.join(''),
          output: event.output as LiveOutput,
        };
        return this.tell();
      case 'error':
        return this.fail(new ApiError(500, event.message || event.output?.error?.details || '', 'stream'));
      default:
        // An empty message is a heartbeat.
        if (!event.message) return;
        if (this.steps.at(-1) !== event.message) this.steps = [...this.steps, event.message];
    }
    this.later();
  }

  private compose(): LiveView {
    // Joining folds the pieces, so that each frame joins only what is new.
    const text = this.text.join('');
    const thoughts = this.thoughts.join('');
    this.text = [text];
    this.thoughts = [thoughts];
    return { ...this.view, text, thoughts, steps: this.steps, state: text ? 'writing' : 'waiting' };
  }

  private over(): boolean {
    return this.view.state === 'done' || this.view.state === 'failed';
  }

  private fail(error: ApiError): void {
    this.view = { ...this.compose(), state: 'failed', error };
    this.tell();
  }

  private set(part: Partial<LiveView>): void {
    this.view = { ...this.view, ...part };
    this.tell();
  }

  /**
   * Draws at most once a frame, however fast the pieces come, and leaves the
   * page three times as long for other things as the last drawing took.
   */
  private later(): void {
    this.stale = true;
    if (this.drawing) return;
    this.drawing = true;
    schedule(() => {
      if (this.over()) return;
      const begun = performance.now();
      this.stale = false;
      this.view = this.compose();
      this.tell();
      // React draws when this task ends; the time is taken after that.
      setTimeout(() => {
        const rest = Math.min(3 * (performance.now() - begun), 400);
        setTimeout(() => {
          this.drawing = false;
          if (this.stale && !this.over()) this.later();
        }, rest);
      }, 0);
    });
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}

/** A hidden page gets no frames, but its stream goes on. */
function schedule(f: () => void): void {
  if (typeof document === 'undefined' || document.hidden) setTimeout(f, 100);
  else requestAnimationFrame(f);
}

/** The number behind the last dash of an event's id; 0 when there is none. */
export function sequence(id: string): number {
  return Number(id.slice(id.lastIndexOf('-') + 1)) || 0;
}
