import { describe, expect, it } from 'vitest';
import { firstHit, highlight, isForm } from './highlight';

const hits = (text: string, terms: string[]) =>
  highlight(text, terms)
    .filter((r) => r.hit)
    .map((r) => r.text);

describe('highlight', () => {
  it('marks the forms of a stem and nothing else', () => {
    expect(hits('Machines and a machine, but no machinations.', ['machin'])).toEqual(['Machines', 'machine']);
    expect(hits('One studies what a study says.', ['studi'])).toEqual(['studies', 'study']);
    expect(hits('An error in terror', ['error'])).toEqual(['error']);
  });
  it('ignores case and accents', () => {
    expect(hits('Le CAFÉ est fermé', ['cafe'])).toEqual(['CAFÉ']);
  });
  it('keeps the text whole', () => {
    const text = 'a «b» c 123 — 出張費は会社が支払います。 d';
    expect(highlight(text, ['123', '会社', 'd']).map((r) => r.text).join('')).toBe(text);
    expect(hits(text, ['会社'])).toEqual(['会社']);
  });
  it('does not take short words or numbers for forms', () => {
    expect(isForm('it', 'i')).toBe(false);
    expect(isForm('2024', '202')).toBe(false);
    expect(isForm('address', 'add')).toBe(false);
  });
  it('finds where the first hit stands', () => {
    expect(firstHit(highlight('one two three', ['two']))).toBe(4);
    expect(firstHit(highlight('one', ['two']))).toBe(0);
  });
});
