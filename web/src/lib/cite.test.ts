import type { Root } from 'mdast';
import { describe, expect, it } from 'vitest';
import { citeParts, remarkCitations, withoutHalfMark } from './cite';

describe('citeParts', () => {
  it('finds marks of known sources only', () => {
    expect(citeParts('Yes [1][2], not [9] or [x].', new Set([1, 2]))).toEqual([
      { text: 'Yes ' },
      { number: 1, raw: '[1]' },
      { number: 2, raw: '[2]' },
      { text: ', not [9] or [x].' },
    ]);
  });

  it('keeps a text without marks', () => {
    expect(citeParts('plain', new Set([1]))).toEqual([{ text: 'plain' }]);
  });
});

describe('withoutHalfMark', () => {
  it.each([
    ['so [', 'so'],
    ['so [1', 'so'],
    ['so [1]', 'so [1]'],
    ['so [a', 'so [a'],
  ])('%j becomes %j', (text, want) => {
    expect(withoutHalfMark(text)).toBe(want);
  });
});

describe('remarkCitations', () => {
  it('leaves link texts alone and marks the rest', () => {
    const tree: Root = {
      type: 'root',
      children: [
        {
          type: 'paragraph',
          children: [
            { type: 'text', value: 'a [1]' },
            { type: 'link', url: 'https://example.org', children: [{ type: 'text', value: '[1]' }] },
          ],
        },
      ],
    };
    remarkCitations(new Set([1]))()(tree);
    const paragraph = tree.children[0];
    if (paragraph?.type !== 'paragraph') throw new Error('the paragraph is gone');
    expect(paragraph.children.map((c) => c.type)).toEqual(['text', 'emphasis', 'link']);
    expect(paragraph.children[1]?.data).toEqual({ hName: 'sup', hProperties: { dataCite: '1' } });
  });
});
