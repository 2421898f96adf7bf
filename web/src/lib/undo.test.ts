import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { UndoList } from './undo';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function acts(list: UndoList) {
  const done: string[] = [];
  for (const name of ['a', 'b']) list.add(name, `thing:${name}`, { commit: () => done.push(name), undone: () => done.push('un' + name) });
  return done;
}

it('does what was not taken back, once, after the delay', () => {
  const list = new UndoList();
  const done = acts(list);
  list.undo(list.snapshot()[0]?.id ?? 0);
  vi.runAllTimers();
  list.flush();
  expect(done).toEqual(['una', 'b']);
  expect(list.snapshot()).toEqual([]);
});

it('does everything at once when the page is left', () => {
  const list = new UndoList();
  const done = acts(list);
  list.flush();
  vi.runAllTimers();
  expect(done).toEqual(['a', 'b']);
});
