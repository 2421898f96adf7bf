import { createContext, memo, type ReactNode, useContext, useEffect, useMemo, useState } from 'react';
import ReactMarkdown, { type Components } from 'react-markdown';
import rehypeSanitize from 'rehype-sanitize';
import remarkGfm from 'remark-gfm';
import { BlockSplitter } from '../../lib/blocks';
import { remarkCitations, withoutHalfMark } from '../../lib/cite';
import { host } from '../../lib/format';
import { loadMath, type MathPlugins, schema } from '../../lib/markdown';
import { hasMath, normalizeMath } from '../../lib/math';
import { t } from '../../strings';
import { Tip } from '../../ui/button';
import { CopyIcon } from '../../ui/copy';
import { cx } from '../../ui/cx';

/** The sources of one answer: their titles by number, and how to open one. */
export interface Cites {
  titles: ReadonlyMap<number, string>;
  open: (number: number) => void;
}

const CitesContext = createContext<Cites | undefined>(undefined);

const chip =
  'mx-0.5 inline-flex h-[1.15rem] min-w-[1.15rem] items-center justify-center rounded bg-accent-soft px-1 align-[0.1em] text-[0.6875rem] font-medium text-accent tabular-nums';

function CiteMark({ number }: { number: number }) {
  const cites = useContext(CitesContext);
  const title = cites?.titles.get(number);
  if (!cites || title === undefined) return <span className={chip}>{number}</span>;
  const label = t.chat.citation(number, title);
  return (
    <Tip label={title}>
      <button type="button" aria-label={label} onClick={() => cites.open(number)} className={`${chip} hover:bg-accent hover:text-on-accent`}>
        {number}
      </button>
    </Tip>
  );
}

function Code({ children }: { children?: ReactNode }) {
  const text = plainText(children).replace(/\n$/, '');
  return (
    <div className="overflow-hidden rounded-md border border-line bg-sunken">
      <div className="flex h-8 items-center justify-between border-b border-line ps-3 text-xs text-muted">
        <span>{language(children)}</span>
        <CopyIcon text={text} label={t.chat.codeCopy} />
      </div>
      {/* A block wider than the column is scrolled by keyboard too. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <pre tabIndex={0} className="overflow-x-auto p-3">
        {children}
      </pre>
    </div>
  );
}

/** The language that a fence names, as its class says. */
function language(node: ReactNode): string {
  if (!node || typeof node !== 'object' || !('props' in node)) return '';
  const { className } = node.props as { className?: string };
  return /language-([\w+#-]+)/.exec(className ?? '')?.[1] ?? '';
}

function plainText(node: ReactNode): string {
  if (typeof node === 'string' || typeof node === 'number') return String(node);
  if (Array.isArray(node)) return node.map(plainText).join('');
  if (node && typeof node === 'object' && 'props' in node) {
    return plainText((node.props as { children?: ReactNode }).children);
  }
  return '';
}

function Anchor({ href, children }: { href?: string; children?: ReactNode }) {
  if (!href) return <>{children}</>;
  if (href.startsWith('#')) return <a href={href}>{children}</a>;
  const where = href.startsWith('mailto:') ? href.slice('mailto:'.length) : host(href);
  const shown = plainText(children).includes(where);
  return (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow" title={t.chat.opensIn(href)}>
      {children}
      {!shown && <span className="text-xs text-muted"> ({where})</span>}
    </a>
  );
}

const mark = /\[\d/;
const many = 40; // blocks from which those out of view are put to sleep

const components: Components = {
  pre: ({ children }) => <Code>{children}</Code>,
  a: ({ href, children }) => <Anchor href={href}>{children}</Anchor>,
  // A remote image would tell its host who reads the answer, so it is only a link.
  img: ({ src, alt }) => <Anchor href={typeof src === 'string' ? src : undefined}>{`${t.chat.image}: ${alt ?? ''}`}</Anchor>,
  sup: ({ node, children }) => {
    const number = Number(node?.properties['dataCite']);
    return number ? <CiteMark number={number} /> : <sup>{children}</sup>;
  },
  table: ({ children }) => (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div role="region" aria-label={t.chat.table} tabIndex={0} className="overflow-x-auto">
      <table>{children}</table>
    </div>
  ),
};

const Block = memo(function Block({ text, known, math }: { text: string; known: ReadonlySet<number> | undefined; math: MathPlugins | undefined }) {
  const remark = useMemo(() => [remarkGfm, ...(math?.remark ?? []), remarkCitations(known)], [math, known]);
  // Sanitizing stands last, so that nothing can add to what it let through.
  const rehype = useMemo(() => [...(math?.rehype ?? []), [rehypeSanitize, schema] as [typeof rehypeSanitize, typeof schema]], [math]);
  return (
    <div className="prose-block" dir="auto">
      <ReactMarkdown remarkPlugins={remark} rehypePlugins={rehype} components={components}>
        {text}
      </ReactMarkdown>
    </div>
  );
});

/** A model's Markdown. While it streams, only its last block is drawn again. */
export const Markdown = memo(function Markdown({ text, streaming, cites }: { text: string; streaming: boolean; cites: Cites | undefined }) {
  const [splitter] = useState(() => new BlockSplitter());
  const source = normalizeMath(streaming ? withoutHalfMark(text) : text);
  const blocks = splitter.split(source);
  const math = useMath(hasMath(source));
  // The sources come with the end: until then every mark may be one.
  const known = useMemo(() => (streaming ? undefined : new Set(cites?.titles.keys())), [streaming, cites]);
  return (
    <CitesContext value={cites}>
      <div className={cx('prose', blocks.length > many && 'prose-long')}>
        {blocks.map((block, i) => (
          // A block without marks need not be drawn again when the citations come.
          <Block key={i} text={block} known={mark.test(block) ? known : undefined} math={hasMath(block) ? math : undefined} />
        ))}
      </div>
    </CitesContext>
  );
});

function useMath(needed: boolean): MathPlugins | undefined {
  const [plugins, setPlugins] = useState<MathPlugins>();
  useEffect(() => {
    if (!needed) return;
    let wanted = true;
    loadMath().then(
      (p) => wanted && setPlugins(p),
      () => undefined, // without the renderer a formula stays text
    );
    return () => {
      wanted = false;
    };
  }, [needed]);
  return plugins;
}
