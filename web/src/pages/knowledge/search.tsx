import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { Check, ChevronDown, SearchX, TextSearch, X } from 'lucide-react';
import { type FormEvent, type ReactNode, useMemo, useState } from 'react';
import { corporaQuery, corpusStartersQuery, searchQuery } from '../../api/queries';
import type { Found, FoundList } from '../../api/types';
import { firstHit, highlight } from '../../lib/highlight';
import { useTitle } from '../../lib/hooks';
import { t } from '../../strings';
import { ts } from '../../strings.search';
import { Button, Tip } from '../../ui/button';
import { cx } from '../../ui/cx';
import { Input, SearchInput, Select } from '../../ui/field';
import { Menu, MenuChoice, MenuItem, MenuLine } from '../../ui/menu';
import { Back, Page } from '../../ui/page';
import { EmptyState, ErrorState, Skeleton } from '../../ui/state';

const s = ts.search;
const limits = [10, 25, 50];

const parted = (tags = '') =>
  tags
    .split(',')
    .map((x) => x.trim())
    .filter(Boolean);

/** Where one tries questions and sees which passages come, and why. */
export function SearchPage() {
  useTitle(s.title);
  const { q, corpora, tags, side, limit } = useSearch({ from: '/app/knowledge/search' });
  const asked = { question: q ?? '', corpora: corpora ?? [], tags: parted(tags), side: side ?? 'fused', limit: limit ?? 10 } as const;
  const found = useQuery({ ...searchQuery(asked), enabled: !!q, placeholderData: keepPreviousData });
  return (
    <Page title={s.title} before={<Back to="/knowledge" label={t.knowledge.title} />}>
      <Form key={`form ${q ?? ''} ${tags ?? ''}`} />
      {!q && <Begin corpora={corpora ?? []} />}
      {q && found.isPending && <Skeleton rows={5} row="h-24" className="mt-6" />}
      {q && found.error && <ErrorState error={found.error} retry={() => void found.refetch()} />}
      {q && found.data && !found.error && (
        <Results found={found.data} stale={found.isPlaceholderData} />
      )}
    </Page>
  );
}

/** The question and what narrows the search. */
function Form() {
  const { q, corpora = [], tags, side, limit } = useSearch({ from: '/app/knowledge/search' });
  const navigate = useNavigate();
  const [draft, setDraft] = useState(q ?? '');
  const [tagged, setTagged] = useState(tags ?? '');
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (draft.trim()) void navigate({ to: '/knowledge/search', search: (was) => ({ ...was, q: draft.trim(), tags: tagged.trim() || undefined }) });
  };
  return (
    <form role="search" onSubmit={submit} className="flex flex-col gap-2">
      <p className="text-muted">{s.intro}</p>
      <div className="flex gap-2">
        <SearchInput
          label={s.field}
          placeholder={s.placeholder}
          autoFocus
          dir="auto"
          maxLength={2000}
          value={draft}
          onChange={(e) => setDraft(e.target.value)}
          className="grow"
        />
        <Button type="submit" look="primary" disabled={!draft.trim()}>
          {s.do}
        </Button>
      </div>
      <div className="flex flex-wrap items-center gap-2">
        <Where chosen={corpora} onChange={(ids) => void navigate({ to: '/knowledge/search', search: (was) => ({ ...was, corpora: ids.length ? ids : undefined }), replace: true })} />
        <div className="w-60">
          <Select
            aria-label={s.by}
            value={side ?? 'fused'}
            onChange={(e) => {
              const chosen = e.target.value;
              void navigate({
                to: '/knowledge/search',
                search: (was) => ({ ...was, side: chosen === 'lexical' || chosen === 'vector' ? chosen : undefined }),
                replace: true,
              });
            }}
          >
            {Object.entries(s.sides).map(([value, name]) => (
              <option key={value} value={value}>
                {name}
              </option>
            ))}
          </Select>
        </div>
        <div className="w-56">
          <Input aria-label={s.tags} placeholder={s.tagsPlaceholder} maxLength={500} value={tagged} onChange={(e) => setTagged(e.target.value)} />
        </div>
        <div className="w-44">
          <Select
            aria-label={s.many}
            value={limit ?? 10}
            onChange={(e) => void navigate({ to: '/knowledge/search', search: (was) => ({ ...was, limit: Number(e.target.value) }), replace: true })}
          >
            {limits.map((n) => (
              <option key={n} value={n}>
                {s.passages(n)}
              </option>
            ))}
          </Select>
        </div>
      </div>
    </form>
  );
}

/** The corpora that are searched; none chosen are all. */
function Where({ chosen, onChange }: { chosen: number[]; onChange: (ids: number[]) => void }) {
  const { data } = useQuery(corporaQuery);
  const listed = (data ?? []).filter((c) => c.corpus_type !== 'attachment');
  const names = listed.filter((c) => chosen.includes(c.id));
  const free = listed.filter((c) => !chosen.includes(c.id));
  return (
    <>
      <Menu
        align="start"
        trigger={
          <Button small aria-label={`${s.where}: ${chosen.length === 0 ? s.everywhere : s.some(chosen.length)}`}>
            {chosen.length === 0 ? s.everywhere : s.some(chosen.length)}
            <ChevronDown className="size-4" aria-hidden />
          </Button>
        }
      >
        <div className="max-h-72 max-w-80 overflow-y-auto">
          <MenuChoice value={chosen.length === 0 ? 'all' : ''} options={[['all', s.everywhere]]} onChange={() => onChange([])} />
          {free.length > 0 && <MenuLine />}
          {free.map((c) => (
            <MenuItem key={c.id} onSelect={() => onChange([...chosen, c.id])}>
              <span className="truncate">{c.name}</span>
            </MenuItem>
          ))}
        </div>
      </Menu>
      {names.map((c) => (
        <span key={c.id} className="flex h-8 max-w-full items-center gap-1 rounded-full bg-accent-soft ps-3 pe-1.5 text-accent">
          <bdi className="truncate">{c.name}</bdi>
          <button type="button" aria-label={t.common.takeOut(c.name)} className="rounded-full p-0.5 hover:bg-hover" onClick={() => onChange(chosen.filter((x) => x !== c.id))}>
            <X className="size-3.5" aria-hidden />
          </button>
        </span>
      ))}
    </>
  );
}

/** Before the first search: what it is for, and questions of the first corpus to try. */
function Begin({ corpora }: { corpora: number[] }) {
  const { data } = useQuery(corporaQuery);
  const first = corpora[0] ?? data?.find((c) => c.corpus_type !== 'attachment' && (c.document_count ?? 0) > 0)?.id;
  const starters = useQuery({ ...corpusStartersQuery(first ?? 0), enabled: first !== undefined });
  const navigate = useNavigate();
  const questions = starters.data?.conversation_starters ?? [];
  return (
    <EmptyState icon={<TextSearch aria-hidden />} title={s.begin} text={s.beginText}>
      {questions.length > 0 && (
        <div className="flex flex-col items-center gap-2">
          <h3 className="text-xs text-muted">{s.examples}</h3>
          {questions.map((x) => (
            <button
              key={x.question}
              type="button"
              dir="auto"
              onClick={() => void navigate({ to: '/knowledge/search', search: (was) => ({ ...was, q: x.question }) })}
              className="rounded-lg border border-line px-3 py-2 text-start hover:bg-hover"
            >
              {x.question}
            </button>
          ))}
        </div>
      )}
    </EmptyState>
  );
}

export function Results({ found: { passages: listed, reranking }, stale }: { found: FoundList; stale: boolean }) {
  const passages = listed ?? [];
  if (passages.length === 0) return <EmptyState icon={<SearchX aria-hidden />} title={s.none} text={s.noneText} />;
  const best = { score: Math.max(...passages.map((p) => p.score)), lexical: Math.max(...passages.map((p) => p.lexical)) };
  return (
    <section aria-label={s.title} aria-busy={stale} className={cx('mt-5', stale && 'opacity-60')}>
      <p role="status" className="mb-3 text-xs text-muted">
        {s.found(passages.length)}
        {reranking === 'failed' && <span className="block">{s.rerankFailed}</span>}
      </p>
      <ol className="flex flex-col gap-4">
        {passages.map((p, i) => (
          <Passage key={`${p.document_id}.${p.version}.${p.start}`} passage={p} rank={i + 1} best={best} />
        ))}
      </ol>
    </section>
  );
}

const shown = 420; // characters of a passage before it is opened
const before = 90; // and how many of them stand before the first hit

function Passage({ passage: p, rank, best }: { passage: Found; rank: number; best: { score: number; lexical: number } }) {
  const [open, setOpen] = useState(false);
  const { data: corpora } = useQuery(corporaQuery);
  const corpus = corpora?.find((c) => c.id === p.corpus_id)?.name;
  const found = useMemo(() => (p.terms ?? []).filter((x) => x.found).map((x) => x.text), [p.terms]);
  const long = p.text.length > shown;
  const runs = useMemo(() => {
    const text = p.text.trim();
    if (open || !long) return highlight(text, found);
    // Cut between words, and show where the first word of the question stands.
    const hit = firstHit(highlight(text, found));
    const from = hit > shown - before ? text.indexOf(' ', hit - before) + 1 : 0;
    const to = text.lastIndexOf(' ', from + shown);
    const part = text.slice(from, to > from ? to : from + shown);
    return highlight(`${from > 0 ? '… ' : ''}${part}${from + part.length < text.length ? ' …' : ''}`, found);
  }, [p.text, found, open, long]);
  return (
    <li className="rounded-lg border border-line bg-raised">
      <article aria-label={`${s.rank(rank)}: ${p.title}`} className="grid gap-x-6 gap-y-3 p-4 md:grid-cols-[1fr_13rem]">
        <div className="min-w-0">
          <h2 className="flex items-baseline gap-2 font-medium">
            <span className="text-muted tabular-nums">{rank}</span>
            <Link
              to="/knowledge/$corpusId"
              params={{ corpusId: String(p.corpus_id) }}
              search={{ doc: p.document_id }}
              className="min-w-0 truncate hover:underline"
              title={p.title}
            >
              <bdi>{p.title}</bdi>
            </Link>
          </h2>
          <p className="mt-0.5 text-xs break-words text-muted">
            {[corpus, p.heading.replaceAll(' > ', ' › '), p.page > 0 ? s.page(p.page) : '', p.version > 1 ? s.version(p.version) : '']
              .filter(Boolean)
              .join(' · ')}
          </p>
          <p dir="auto" className="mt-2 text-[0.9375rem] leading-6 whitespace-pre-wrap">
            {runs.map((r, i) => (r.hit ? <mark key={i}>{r.text}</mark> : r.text))}
          </p>
          {(p.duplicates ?? []).length > 0 && (
            <p className="mt-1 text-xs text-muted">{s.doubles((p.duplicates ?? []).map((d) => d.title).join(', '))}</p>
          )}
          {long && (
            <Button small look="quiet" className="-ms-2.5 mt-1" aria-expanded={open} onClick={() => setOpen(!open)}>
              {open ? s.less : s.more}
            </Button>
          )}
        </div>
        <Why passage={p} best={best} />
      </article>
    </li>
  );
}

/** The parts of a passage's score as bars, and which words of the question it holds. */
export function Why({ passage: p, best }: { passage: Found; best: { score: number; lexical: number } }) {
  const percent = (n: number) => `${Math.round(n * 100)} %`;
  return (
    <div className="flex flex-col gap-3 max-md:border-t max-md:border-line max-md:pt-3">
      <dl className="flex flex-col gap-1.5 text-xs">
        {p.rerank !== null && (
          <Bar label={s.rerank} hint={s.rerankHint} part={p.rerank} strong>
            {p.rerank.toFixed(3)}
          </Bar>
        )}
        <Bar label={s.score} hint={s.scoreHint} part={p.score / (best.score || 1)} strong={p.rerank === null}>
          {p.score.toPrecision(3)}
        </Bar>
        <Bar label={s.lexical} hint={s.lexicalHint} part={p.lexical / (best.lexical || 1)}>
          {p.lexical > 0 ? p.lexical.toPrecision(3) : '0'}
        </Bar>
        <Bar label={s.vector} hint={s.vectorHint} part={Math.max(0, p.vector)}>
          {p.vector === 0 ? s.noVector : p.vector.toFixed(2)}
        </Bar>
        <Bar label={s.coverage} hint={s.coverageHint} part={p.coverage}>
          {percent(p.coverage)}
        </Bar>
      </dl>
      <Parts passage={p} />
      {(p.terms ?? []).length > 0 && (
        <ul aria-label={s.terms} className="flex flex-wrap gap-1">
          {(p.terms ?? []).map((x) => (
            <li
              key={x.text}
              title={s.weight(x.weight.toFixed(1))}
              className={cx('inline-flex max-w-full items-center gap-1 rounded px-1.5 py-0.5 text-xs', x.found ? 'bg-accent-soft text-accent' : 'bg-hover text-muted')}
            >
              {x.found ? <Check className="size-3 shrink-0" aria-hidden /> : <X className="size-3 shrink-0" aria-hidden />}
              <span className="sr-only">{x.found ? s.has(x.text) : s.lacks(x.text)}</span>
              <bdi aria-hidden className={cx('truncate', !x.found && 'line-through')}>
                {x.text}
              </bdi>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** What the score by words is the sum of, as one bar in pieces with its legend. */
function Parts({ passage: p }: { passage: Found }) {
  const parts = (Object.keys(s.part) as (keyof typeof s.part)[]).map((k) => [k, Math.max(0, p.parts[k])] as const).filter(([, n]) => n > 0);
  const sum = parts.reduce((n, [, part]) => n + part, 0);
  if (parts.length < 2) return null;
  return (
    <section aria-label={s.parts} className="text-xs">
      <div aria-hidden className="flex h-1.5 gap-px overflow-hidden rounded-full">
        {parts.map(([k, n], i) => (
          <span key={k} className="bg-accent" style={{ width: `${(n / sum) * 100}%`, opacity: 1 - i * 0.18 }} />
        ))}
      </div>
      <ul className="mt-1 flex flex-col text-muted">
        {parts.map(([k, n], i) => (
          <li key={k} className="flex items-center gap-1.5">
            <span aria-hidden className="size-2 shrink-0 rounded-full bg-accent" style={{ opacity: 1 - i * 0.18 }} />
            <span className="grow">{s.part[k]}</span>
            <span className="tabular-nums">{n.toPrecision(2)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Bar({ label, hint, part, strong, children }: { label: string; hint: string; part: number; strong?: boolean; children: ReactNode }) {
  return (
    <div className="grid grid-cols-[4rem_1fr_3.5rem] items-center gap-2">
      <dt>
        <Tip label={hint}>
          <button type="button" className="cursor-help text-start text-muted decoration-dotted underline-offset-2 hover:underline">
            {label}
          </button>
        </Tip>
      </dt>
      <dd className="contents">
        <span aria-hidden className="h-1.5 overflow-hidden rounded-full bg-hover">
          <span
            className={cx('block h-full rounded-full', strong ? 'bg-accent' : 'bg-line-strong')}
            style={{ width: `${Math.round(Math.min(1, Math.max(0, part)) * 100)}%` }}
          />
        </span>
        <span className={cx('text-end tabular-nums', strong && 'font-medium')}>{children}</span>
      </dd>
    </div>
  );
}
