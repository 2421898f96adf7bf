import { useSyncExternalStore } from 'react';
import { LiveAnswer } from '../../lib/live';

const kept = 'atrium.live';

/** An answer on its way that a reload of the tab must find again. */
interface Kept {
  agentId: number;
  responseId: number;
  question: string;
}

/** The answers on their way in this tab, at most one a thread. */
class Lives {
  private byThread = new Map<number, LiveAnswer>();
  private listeners = new Set<() => void>();

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  get(threadId: number | undefined): LiveAnswer | undefined {
    return threadId === undefined ? undefined : this.byThread.get(threadId);
  }

  set(threadId: number, live: LiveAnswer): void {
    this.byThread.set(threadId, live);
    const unsubscribe = live.subscribe(() => {
      const { responseId } = live.snapshot();
      if (responseId === undefined) return;
      unsubscribe();
      if (this.byThread.get(threadId) === live) keep(threadId, { agentId: live.agentId, responseId, question: live.question });
    });
    this.tell();
  }

  delete(threadId: number): void {
    this.byThread.delete(threadId);
    keep(threadId, undefined);
    this.tell();
  }

  /** The answer that a reload interrupted, made live again and not yet followed. */
  revive(threadId: number): { live: LiveAnswer; responseId: number } | undefined {
    const found = all()[threadId];
    if (!found || this.byThread.has(threadId)) return undefined;
    return { live: new LiveAnswer(found.agentId, found.question), responseId: found.responseId };
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}

function all(): Record<string, Kept | undefined> {
  try {
    return JSON.parse(sessionStorage.getItem(kept) ?? '{}') as Record<string, Kept | undefined>;
  } catch {
    return {};
  }
}

function keep(threadId: number, value: Kept | undefined): void {
  try {
    sessionStorage.setItem(kept, JSON.stringify({ ...all(), [threadId]: value }));
  } catch {
    // Without storage a reload shows the answer once it is stored.
  }
}

export const lives = new Lives();

/** The answer on its way in a thread; the component draws again when there is another one. */
export function useLive(threadId: number | undefined): LiveAnswer | undefined {
  return useSyncExternalStore(lives.subscribe, () => lives.get(threadId));
}
