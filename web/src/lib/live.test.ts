import { afterEach, describe, expect, it, vi } from 'vitest';
import { LiveAnswer, sequence } from './live';

const encoder = new TextEncoder();

function event(n: number, data: object): string {
  return `id: 7-${n}\nevent: status\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Answers each fetch with the next of the given pieces; cut makes the body fail. */
function server(...answers: { pieces: string[]; cut?: boolean; status?: number }[]) {
  const requests: { url: string; lastEventId: string | null }[] = [];
  vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
    requests.push({ url, lastEventId: new Headers(init.headers).get('Last-Event-ID') });
    const next = answers.shift();
    if (!next) return Promise.reject(new TypeError('no more answers'));
    const body = new ReadableStream<Uint8Array>({
      start(c) {
        for (const p of next.pieces) c.enqueue(encoder.encode(p));
        if (next.cut) setTimeout(() => c.error(new TypeError('cut')), 0);
        else c.close();
      },
    });
    return Promise.resolve(new Response(body, { status: next.status ?? 200, headers: { 'X-Request-Id': 'r9' } }));
  });
  return requests;
}

const end = event(5, {
  step: 'end',
  success: true,
  output: { answer: 'Hello world', thread_id: 3, agent_response_id: 7, references: [] },
});

afterEach(() => vi.unstubAllGlobals());

describe('LiveAnswer', () => {
  it('gathers steps, thoughts and text up to the end', async () => {
    server({
      pieces: [
        event(1, { step: 'start', message: 'Starting' }) + event(2, { step: 'tools_stream', delta: 'hm' }),
        event(3, { step: 'assistant_stream', delta: 'Hello' }),
        event(4, { step: 'heartbeat', message: '' }) + end,
      ],
    });
    const live = new LiveAnswer(1, 'hi');
    await live.ask({ user_query: 'hi', chat_thread_id: null });
    const view = live.snapshot();
    expect(view).toMatchObject({ state: 'done', text: 'Hello world', steps: ['Starting'], thoughts: 'hm', responseId: 7 });
    expect(view.output?.thread_id).toBe(3);
  });

  it('asks for the rest after a cut and takes no event twice', async () => {
    const requests = server(
      { pieces: [event(1, { step: 'start', message: 'S' }), event(2, { step: 'assistant_stream', delta: 'Hello' })], cut: true },
      { pieces: [event(2, { step: 'assistant_stream', delta: 'Hello' }), event(3, { step: 'assistant_stream', delta: '!' })] },
      { pieces: [event(4, { step: 'error', message: 'the model went away' })] },
    );
    const live = new LiveAnswer(1, 'hi');
    await live.ask({ user_query: 'hi', chat_thread_id: null });
    expect(requests.slice(1)).toEqual([
      { url: '/api/v2/agent-responses/7/stream', lastEventId: '7-2' },
      { url: '/api/v2/agent-responses/7/stream', lastEventId: '7-3' },
    ]);
    expect(live.snapshot()).toMatchObject({ state: 'failed', text: 'Hello!' });
    expect(live.snapshot().error?.message).toBe('the model went away');
  });

  it('begins the text again when the server says so', async () => {
    server({
      pieces: [
        event(1, { step: 'assistant_stream', delta: 'Hal' }),
        event(2, { step: 'restart', message: '' }),
        event(3, { step: 'assistant_stream', delta: 'Hello' }),
        event(4, { step: 'error', message: 'gone' }),
      ],
    });
    const live = new LiveAnswer(1, 'hi');
    await live.ask({ user_query: 'hi', chat_thread_id: null });
    expect(live.snapshot().text).toBe('Hello');
  });

  it('says what a refused question was refused for', async () => {
    server({ pieces: ['{"success":false,"message":"the agent is inactive","error":{"code":"conflict"}}'], status: 409 });
    const live = new LiveAnswer(1, 'hi');
    await live.ask({ user_query: 'hi', chat_thread_id: null });
    expect(live.snapshot().error).toMatchObject({ status: 409, message: 'the agent is inactive', requestId: 'r9' });
  });

  it('fails at once when the question never reached the server', async () => {
    server();
    const live = new LiveAnswer(1, 'hi');
    await live.ask({ user_query: 'hi', chat_thread_id: null });
    expect(live.snapshot()).toMatchObject({ state: 'failed', error: { status: 0 } });
  });
});

describe('sequence', () => {
  it('is the number at the end', () => {
    expect([sequence('12-34'), sequence(''), sequence('x')]).toEqual([34, 0, 0]);
  });
});
