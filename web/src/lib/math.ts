/** Says whether a text holds mathematics worth loading the renderer for. */
export function hasMath(text: string): boolean {
  return text.includes('$$');
}

const code = /(^ {0,3}(`{3,}|~{3,})[\s\S]*?(?:^ {0,3}\2|$(?![\s\S]))|`[^`\n]*`)/gm;

/**
 * Writes the notations that models use, \( \), \[ \] and $ $, as $$ $$, the one
 * the Markdown parser is set to know; single dollars with prices stay text.
 */
export function normalizeMath(text: string): string {
  if (!/\\[([]|\$/.test(text)) return text;
  let out = '';
  let from = 0;
  for (const m of text.matchAll(code)) {
    out += plain(text.slice(from, m.index)) + m[0];
    from = m.index + m[0].length;
  }
  return out + plain(text.slice(from));
}

function plain(text: string): string {
  return text
    .replace(/\\\[([\s\S]+?)\\\]/g, (_, body: string) => `\n$$\n${body.trim()}\n$$\n`)
    .replace(/\\\((.+?)\\\)/g, (_, body: string) => `$$${body.trim()}$$`)
    .replace(/(?<![\\$])\$(?![\s$])([^$\n]*[\\^_={}][^$\n]*?)(?<!\s)\$(?![\d$])/g, (_, body: string) => `$$${body}$$`);
}
