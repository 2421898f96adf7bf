import { describe, expect, it } from 'vitest';
import { BlockSplitter, splitBlocks } from './blocks';

const sample = `# Title

A paragraph
on two lines.

- one

  more of one
- two

\`\`\`js
let a;

let b;
\`\`\`

$$
x

y
$$

| a | b |
|---|---|
| 1 | 2 |

Last words
`;

describe('splitBlocks', () => {
  it('keeps lists, fences and mathematics whole', () => {
    expect(splitBlocks(sample).map((b) => b.trim().split('\n')[0])).toEqual([
      '# Title',
      'A paragraph',
      '- one',
      '```js',
      '$$',
      '| a | b |',
      'Last words',
    ]);
  });

  it('loses not a character', () => {
    expect(splitBlocks(sample).join('')).toBe(sample);
  });

  it('leaves a text with link definitions whole', () => {
    expect(splitBlocks('See [a].\n\n[a]: https://example.org\n')).toHaveLength(1);
  });

  it('does not close a fence by a shorter one or by one with a language', () => {
    expect(splitBlocks('````\n```\n\n```js\n````\n\nafter\n')).toEqual(['````\n```\n\n```js\n````\n\n', 'after\n']);
  });
});

describe('BlockSplitter', () => {
  it('gives every prefix the text back and never changes a finished block', () => {
    const splitter = new BlockSplitter();
    let before: string[] = [];
    for (let n = 0; n <= sample.length; n++) {
      const now = splitter.split(sample.slice(0, n));
      expect(now.join('')).toBe(sample.slice(0, n));
      expect(now.slice(0, Math.max(0, before.length - 1))).toEqual(before.slice(0, -1));
      before = now;
    }
    expect(before).toEqual(splitBlocks(sample));
  });

  it('starts again when the text is another one', () => {
    const splitter = new BlockSplitter();
    splitter.split('a\n\nb\n');
    expect(splitter.split('c\n\nd\n')).toEqual(['c\n\n', 'd\n']);
  });
});
