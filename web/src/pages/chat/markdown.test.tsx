import { Tooltip } from 'radix-ui';
import { renderToStaticMarkup } from 'react-dom/server';
import { describe, expect, it } from 'vitest';
import { Markdown } from './markdown';

const titles = new Map([[1, 'Handbook "A" <b>']]);
const cites = { titles, open: () => undefined };

function html(text: string, streaming = false): string {
  return renderToStaticMarkup(
    <Tooltip.Provider>
      <Markdown text={text} streaming={streaming} cites={streaming ? undefined : cites} />
    </Tooltip.Provider>,
  );
}

describe('Markdown', () => {
  it.each([
    ['a script', '<script>alert(1)</script>'],
    ['a handler', '<img src=x onerror=alert(1)>'],
    ['a script address', '[a](javascript:alert(1))'],
    ['an encoded script address', '[a](jav&#x09;ascript:alert(1))'],
    ['a data address', '[a](data:text/html;base64,PHNjcmlwdD4=)'],
    ['a frame', '<iframe src="https://evil.example"></iframe>'],
    ['a form', '<form action="https://evil.example"><input name=p></form>'],
    ['a style', '<style>body{display:none}</style><p style="position:fixed">x</p>'],
    ['a remote image', '![x](https://evil.example/p.png?secret)'],
    ['a reference image', '![x][i]\n\n[i]: https://evil.example/p.png'],
    ['a cite mark of its own', '<sup data-cite="1">x</sup>'],
  ])('lets no element or address of the model through: %s', (_, text) => {
    const out = html(text);
    expect(out).not.toMatch(/<(script|img|iframe|form|style|object|embed|svg|base|meta|link)\b/i);
    expect(out).not.toMatch(/\son\w+=|javascript:|href="data:|style=/i);
    expect(out).not.toContain('<button type="button" aria-label="Citation');
  });

  it('shows where a link goes and cuts the tie to its opener', () => {
    const out = html('[the rules](https://example.org/rules)');
    expect(out).toContain('rel="noopener noreferrer nofollow"');
    expect(out).toContain('target="_blank"');
    expect(out).toContain('(example.org)');
  });

  it('makes marks of known citations buttons and leaves others text', () => {
    const out = html('Yes [1], no [2].');
    expect(out.match(/aria-label="Citation 1: [^"]+"/g)).toHaveLength(1);
    expect(out).toContain('no [2].');
  });

  it('gives tables and code boxes of their own to scroll in', () => {
    const out = html('| a |\n|---|\n| 1 |\n\n```go\nx := 1\n```\n');
    expect(out).toContain('role="region"');
    expect(out).toContain('<span>go</span>');
    expect(out).toContain('aria-label="Copy code"');
  });

  it('hides half a mark while words come', () => {
    expect(html('So it is [1', true)).not.toContain('[1');
  });
});
