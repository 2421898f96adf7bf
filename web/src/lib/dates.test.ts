import { describe, expect, it } from 'vitest';
import { ago, byDateGroup, dateGroup } from './dates';

const now = new Date(2026, 2, 15, 0, 30);

describe('dateGroup', () => {
  it.each([
    ['the future', new Date(2026, 2, 15, 1, 0), 'today'],
    ['a moment ago', new Date(2026, 2, 15, 0, 1), 'today'],
    ['just before midnight', new Date(2026, 2, 14, 23, 59), 'yesterday'],
    ['six days back', new Date(2026, 2, 9, 12, 0), 'week'],
    ['seven days back', new Date(2026, 2, 8, 12, 0), 'month'],
    ['thirty days back', new Date(2026, 1, 13, 12, 0), 'older'],
  ])('%s', (_, at, want) => {
    expect(dateGroup(at, now)).toBe(want);
  });
});

describe('byDateGroup', () => {
  it('sorts newest first and leaves out empty groups', () => {
    const at = (d: number) => new Date(2026, 2, d, 0, 10).toISOString();
    const groups = byDateGroup([{ at: at(1) }, { at: at(15) }, { at: at(2) }], (x) => x.at, now);
    expect(groups).toEqual([
      ['today', [{ at: at(15) }]],
      ['month', [{ at: at(2) }, { at: at(1) }]],
    ]);
  });
});

describe('ago', () => {
  it.each([
    [new Date(2026, 2, 15, 0, 29, 30), 'now'],
    [new Date(2026, 2, 15, 0, 25), '5 minutes ago'],
    [new Date(2026, 2, 14, 0, 0), 'yesterday'],
    [new Date(2026, 2, 17, 1, 0), 'in 2 days'],
  ])('%s is %s', (at, want) => {
    expect(ago(at, now, 'en')).toBe(want);
  });
});
