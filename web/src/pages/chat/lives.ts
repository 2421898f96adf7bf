import { useSyncExternalStore } from 'react';
import type { LiveAnswer } from '../../lib/live';

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
    this.tell();
  }

  delete(threadId: number): void {
    this.byThread.delete(threadId);
    this.tell();
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}

export const lives = new Lives();

/** The answer on its way in a thread; the component draws again when there is another one. */
export function useLive(threadId: number | undefined): LiveAnswer | undefined {
  return useSyncExternalStore(lives.subscribe, () => lives.get(threadId));
}
