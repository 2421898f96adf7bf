import { describe, expect, it } from 'vitest';
import { ApiError } from '../api/error';
import { type Source, Uploads } from './upload';

const page = (name: string): Source => ({ kind: 'weblink', name, url: name });
const settled = () => new Promise((r) => setTimeout(r, 0));

describe('Uploads', () => {
  it('sends three at once and the rest in turn', async () => {
    const open: (() => void)[] = [];
    const queue = new Uploads(() => new Promise((resolve) => open.push(() => resolve(1))));
    queue.add(1, ['a', 'b', 'c', 'd', 'e'].map(page));
    expect(queue.snapshot().map((u) => u.state)).toEqual(['sending', 'sending', 'sending', 'queued', 'queued']);
    open[1]?.();
    await settled();
    expect(queue.snapshot().map((u) => u.state)).toEqual(['sending', 'done', 'sending', 'sending', 'queued']);
  });

  it('keeps a failure with its reason until it is tried again', async () => {
    let broken = true;
    const queue = new Uploads(() => (broken ? Promise.reject(new ApiError(413, 'too large')) : Promise.resolve(9)));
    const arrived: number[] = [];
    queue.arrived = (corpus) => arrived.push(corpus);
    queue.add(4, [page('a')]);
    await settled();
    expect(queue.snapshot()[0]).toMatchObject({ state: 'failed', error: { message: 'too large' } });
    broken = false;
    queue.retry(queue.snapshot()[0]?.id ?? 0);
    await settled();
    expect(queue.snapshot()[0]).toMatchObject({ state: 'done', documentId: 9, error: undefined });
    expect(arrived).toEqual([4]);
  });

  it('gives a text the name that was written for it', async () => {
    const names: [number, string][] = [];
    const queue = new Uploads(
      () => Promise.resolve(5),
      (id, name) => Promise.resolve(void names.push([id, name])),
    );
    queue.add(1, [{ kind: 'text', name: 'Notes', text: 'words' }]);
    await settled();
    expect(names).toEqual([[5, 'Notes']]);
    expect(queue.snapshot()[0]?.state).toBe('done');
  });
});
