/**
 * Cuts growing Markdown into top-level blocks, so that a streamed answer only
 * draws its last block again. Text that was cut off never changes afterwards.
 */
export class BlockSplitter {
  private done: string[] = [];
  private length = 0;
  private text = '';

  /** The blocks of text. Cheap when text continues the one given before. */
  split(text: string): string[] {
    if (!text.startsWith(this.text)) {
      this.done = [];
      this.length = 0;
    }
    this.text = text;
    const tail = splitBlocks(text.slice(this.length));
    for (const block of tail.slice(0, -1)) {
      this.done.push(block);
      this.length += block.length;
    }
    const last = tail.at(-1);
    return last === undefined ? [...this.done] : [...this.done, last];
  }
}

const fence = /^ {0,3}(`{3,}|~{3,})/;
const listItem = /^ {0,3}([-*+]|\d{1,9}[.)])(\s|$)/;
/** Reference and footnote definitions reach over blocks: such a text stays whole. */
const definition = /^ {0,3}\[[^\]\n]+\]:/m;

/** Cuts Markdown at blank lines that certainly end a block; joined, the parts give the text back. */
export function splitBlocks(text: string): string[] {
  if (definition.test(text)) return [text];
  const blocks: string[] = [];
  let block = '';
  let mark = ''; // the open fence, if any
  let math = false;
  let list = false;
  let blank = false;
  for (const line of text.split(/(?<=\n)/)) {
    const empty = line.trim() === '';
    if (mark === '' && !math && blank && !empty && line.endsWith('\n')) {
      const goesOn = list && (listItem.test(line) || /^\s/.test(line));
      if (!goesOn && !/^( {4}|\t)/.test(line)) {
        blocks.push(block);
        block = '';
        list = false;
      }
    }
    block += line;
    blank = empty;
    if (empty) continue;
    const found = fence.exec(line)?.[1];
    if (mark !== '') {
      if (found && found[0] === mark[0] && found.length >= mark.length && line.trim() === found) mark = '';
    } else if (found) {
      mark = found;
    } else if (line.trim() === '$$') {
      math = !math;
    } else if (listItem.test(line)) {
      list = true;
    }
  }
  if (block !== '') blocks.push(block);
  return blocks;
}
