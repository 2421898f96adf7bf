/** A run of a text, and whether a word of the search stands there. */
export interface Run {
  text: string;
  hit: boolean;
}

const word = /[\p{L}\p{N}]+(?:['’][\p{L}]+)*/gu;
const marks = /\p{M}+/gu;
const dense = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\p{sc=Thai}]/u;

/** The form in which words are compared: no case, no accents. */
export function fold(text: string): string {
  return text.normalize('NFKD').replace(marks, '').toLowerCase();
}

/** Says whether a word is a form of a stem, as the server's stems go: at most the end differs. */
export function isForm(text: string, stem: string): boolean {
  const w = fold(text);
  const s = fold(stem);
  if (w === s) return true;
  if (s.length < 3 || /\d/.test(s)) return false;
  let same = 0;
  while (same < w.length && w[same] === s[same]) same++;
  return same >= s.length - (s.length > 4 ? 1 : 0) && w.length - same <= (s.length > 4 ? 4 : 3);
}

/** Parts a text into runs, so that the words that were found can be marked. */
export function highlight(text: string, terms: readonly string[]): Run[] {
  const out: Run[] = [];
  const put = (part: string, hit: boolean) => {
    const last = out.at(-1);
    if (!part) return;
    if (last && last.hit === hit) last.text += part;
    else out.push({ text: part, hit });
  };
  const pairs = terms.filter((t) => dense.test(t));
  let at = 0;
  for (const m of text.matchAll(word)) {
    put(text.slice(at, m.index), false);
    at = m.index + m[0].length;
    if (!dense.test(m[0])) {
      put(m[0], terms.some((t) => isForm(m[0], t)));
      continue;
    }
    // Scripts without spaces are compared by pairs of characters.
    const hit = new Set<number>();
    for (const p of pairs) {
      for (let i = m[0].indexOf(p); i >= 0; i = m[0].indexOf(p, i + 1)) for (let j = 0; j < p.length; j++) hit.add(i + j);
    }
    for (let i = 0; i < m[0].length; i++) put(m[0][i] ?? '', hit.has(i));
  }
  put(text.slice(at), false);
  return out;
}

/** Where a text is cut so that the first hit is in view; 0 when it stands near the beginning. */
export function firstHit(runs: readonly Run[]): number {
  let at = 0;
  for (const r of runs) {
    if (r.hit) return at;
    at += r.text.length;
  }
  return 0;
}
