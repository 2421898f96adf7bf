/** An act that waits a moment before it is done, so that it can be taken back. */
export interface Pending {
  id: number;
  label: string;
  /** What is meant to go, such as thread:7; lists leave it out while it waits. */
  subject: string;
  undone: () => void;
  commit: () => void;
}

const delay = 6000;

/**
 * Holds destructive acts back for a few seconds. When the page is left they are
 * done at once: what the person saw go must not come back.
 */
export class UndoList {
  private list: Pending[] = [];
  private timers = new Map<number, ReturnType<typeof setTimeout>>();
  private next = 1;
  private listeners = new Set<() => void>();

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  snapshot = (): Pending[] => this.list;

  add(label: string, subject: string, act: { commit: () => void; undone: () => void }): void {
    const id = this.next++;
    this.list = [...this.list, { id, label, subject, ...act }];
    this.timers.set(id, setTimeout(() => this.finish(id)?.commit(), delay));
    this.tell();
  }

  undo(id: number): void {
    this.finish(id)?.undone();
  }

  flush(): void {
    for (const p of [...this.list]) this.finish(p.id)?.commit();
  }

  private finish(id: number): Pending | undefined {
    clearTimeout(this.timers.get(id));
    this.timers.delete(id);
    const found = this.list.find((p) => p.id === id);
    this.list = this.list.filter((p) => p.id !== id);
    this.tell();
    return found;
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}

export const undoList = new UndoList();
