import { describe, expect, it } from 'vitest';
import { hasMath, normalizeMath } from './math';

describe('normalizeMath', () => {
  it.each([
    ['inline parentheses', 'so \\(a^2\\) is', 'so $$a^2$$ is'],
    ['a display in brackets', '\\[x = 1\\]', '\n$$\nx = 1\n$$\n'],
    ['single dollars around a formula', 'where $x_1$ is', 'where $$x_1$$ is'],
    ['prices', 'from $5 to $10', 'from $5 to $10'],
    ['prices with an equals sign', 'a=$5, b=$6', 'a=$5, b=$6'],
    ['code', '`\\(a\\)` and\n```\n$x_1$\n```', '`\\(a\\)` and\n```\n$x_1$\n```'],
  ])('handles %s', (_, text, want) => {
    expect(normalizeMath(text)).toBe(want);
  });
});

describe('hasMath', () => {
  it('looks for the one notation that is left', () => {
    expect(hasMath('$$x$$')).toBe(true);
    expect(hasMath('$5')).toBe(false);
  });
});
