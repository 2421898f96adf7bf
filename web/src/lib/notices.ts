import { noticeSignedOut } from '../api/client';
import { SseParser } from './sse';

const silence = 45_000; // the server says something more often than this
const longest = 30_000; // milliseconds between two tries

/**
 * Follows one's notifications while the page is in view, which keeps the few
 * connections that a browser has to a server free for the tabs in use. said is
 * called with how many are unread, at the start and whenever that changes;
 * fresh when something new has come. Answers how to end it.
 */
export function followNotices(said: (unread: number) => void, fresh: () => void): () => void {
  let abort: AbortController | undefined;
  let lastId = '';

  const read = async (response: Response): Promise<void> => {
    const reader = response.body?.getReader();
    if (!reader) return;
    const parser = new SseParser();
    const decoder = new TextDecoder();
    for (;;) {
      // A dead connection can stay open for minutes: silence counts as a cut.
      const timer = setTimeout(() => void reader.cancel(), silence);
      const { done, value } = await reader.read().finally(() => clearTimeout(timer));
      if (done) return;
      for (const event of parser.push(decoder.decode(value, { stream: true }))) {
        lastId = event.id;
        if (event.event === 'notification') fresh();
        else if (event.event === 'unread') said((JSON.parse(event.data) as { unread: number }).unread);
      }
    }
  };

  const follow = async (signal: AbortSignal): Promise<void> => {
    let wait = 500;
    while (!signal.aborted) {
      try {
        const response = await fetch('/api/v2/notifications/stream', {
          headers: { Accept: 'text/event-stream', ...(lastId ? { 'Last-Event-ID': lastId } : {}) },
          credentials: 'same-origin',
          signal,
        });
        if (response.ok) {
          wait = 500;
          await read(response);
        } else {
          noticeSignedOut(response.url, response.status);
          // What is not allowed does not get better by asking again.
          if (response.status < 500 && response.status !== 429) return;
        }
      } catch {
        // The connection was cut: it is tried again below.
      }
      if (signal.aborted) return;
      await new Promise((r) => setTimeout(r, wait));
      wait = Math.min(wait * 2, longest);
    }
  };

  const look = () => {
    if (document.visibilityState === 'visible') {
      if (abort) return;
      abort = new AbortController();
      void follow(abort.signal);
    } else {
      abort?.abort();
      abort = undefined;
    }
  };
  document.addEventListener('visibilitychange', look);
  look();
  return () => {
    document.removeEventListener('visibilitychange', look);
    abort?.abort();
  };
}
