import { describe, expect, it } from 'vitest';
import { bytes, host, span } from './format';

describe('bytes', () => {
  it.each([
    [0, '0 bytes'],
    [999, '999 bytes'],
    [1500, '1.5 kB'],
    [123_456_789, '123 MB'],
    [5_000_000_000_000, '5,000 GB'],
  ])('%d is %s', (n, want) => {
    expect(bytes(n, 'en')).toBe(want);
  });
});

describe('span', () => {
  it.each([
    [0.2, '1 ms'],
    [840, '840 ms'],
    [1840, '1.8 s'],
    [12_300, '12 s'],
    [125_000, '2 min 5 s'],
  ])('%d is %s', (ms, want) => {
    expect(span(ms)).toBe(want);
  });
});

describe('host', () => {
  it('falls back to the text', () => {
    expect(host('https://example.org:8443/a')).toBe('example.org:8443');
    expect(host('not an address')).toBe('not an address');
  });
});
