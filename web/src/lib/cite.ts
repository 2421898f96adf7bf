import type { Root, RootContent, Text } from 'mdast';
import { visit } from 'unist-util-visit';

/** A part of a text: words, or the mark that cites a source by its number. */
export type CitePart = { text: string } | { number: number; raw: string };

const marks = /\[(\d{1,3})\]/g;

/** Finds the marks [n] whose number is a known source, or all when known is undefined; other brackets stay text. */
export function citeParts(text: string, known: ReadonlySet<number> | undefined): CitePart[] {
  const parts: CitePart[] = [];
  let from = 0;
  for (const m of text.matchAll(marks)) {
    const number = Number(m[1]);
    if (known && !known.has(number)) continue;
    if (m.index > from) parts.push({ text: text.slice(from, m.index) });
    parts.push({ number, raw: m[0] });
    from = m.index + m[0].length;
  }
  if (from < text.length) parts.push({ text: text.slice(from) });
  return parts;
}

/** Holds back a mark that has only half arrived, so that it does not flicker. */
export function withoutHalfMark(text: string): string {
  return text.replace(/\s?\[\d{0,3}$/, '');
}

/** Turns marks in the text of a Markdown tree into elements that can be pressed. */
export function remarkCitations(known: ReadonlySet<number> | undefined) {
  return () => (tree: Root) => {
    visit(tree, 'text', (node: Text, index, parent) => {
      if (!parent || index === undefined || parent.type === 'link') return undefined;
      const parts = citeParts(node.value, known);
      if (!parts.some((p) => 'number' in p)) return undefined;
      const nodes = parts.map((p): RootContent =>
        'text' in p
          ? { type: 'text', value: p.text }
          : // An emphasis that the HTML step is told to write as <sup data-cite>.
            {
              type: 'emphasis',
              data: { hName: 'sup', hProperties: { dataCite: String(p.number) } },
              children: [{ type: 'text', value: p.raw }],
            },
      );
      parent.children.splice(index, 1, ...nodes);
      return index + nodes.length;
    });
  };
}
