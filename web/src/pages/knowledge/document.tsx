import { useQuery } from '@tanstack/react-query';
import { ExternalLink, X } from 'lucide-react';
import type { ReactNode } from 'react';
import { documentQuery, passageQuery } from '../../api/queries';
import type { Doc } from '../../api/types';
import { bytes, count } from '../../lib/format';
import { t } from '../../strings';
import { buttonClass, IconButton } from '../../ui/button';
import { ErrorLine, ErrorState, Skeleton } from '../../ui/state';
import { Time } from '../../ui/time';
import { isSettled, stepName } from './steps';

const preview = 4000; // characters of the text that are shown

/** What is known about one document, and the beginning of its text. */
export function DocumentPane({ id, onClose }: { id: number; onClose: () => void }) {
  const doc = useQuery({ ...documentQuery(id), refetchInterval: (q) => (q.state.data && !isSettled(q.state.data) ? 1500 : false) });
  const name = doc.data?.name || doc.data?.source;
  return (
    <>
      <header className="flex h-14 shrink-0 items-center gap-1 border-b border-line ps-4 pe-2">
        <h2 className="min-w-0 grow truncate font-semibold" title={name}>
          <bdi>{name ?? t.corpus.detail}</bdi>
        </h2>
        <IconButton label={t.common.close} onClick={onClose}>
          <X />
        </IconButton>
      </header>
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- long texts are scrolled by keyboard */}
      <div tabIndex={0} role="region" aria-label={name ?? t.corpus.detail} className="min-h-0 grow overflow-y-auto p-4">
        {doc.isPending && <Skeleton rows={6} row="h-5" />}
        {doc.error && <ErrorState error={doc.error} retry={() => void doc.refetch()} />}
        {doc.data && <Facts doc={doc.data} />}
        {doc.data && isSettled(doc.data) && !doc.data.is_failed && <Text doc={doc.data} />}
      </div>
      {doc.data?.access_url && (
        <footer className="shrink-0 border-t border-line p-3">
          <a href={doc.data.access_url} target="_blank" rel="noopener noreferrer" title={t.chat.opensIn(doc.data.access_url)} className={buttonClass()}>
            <ExternalLink className="size-4" aria-hidden />
            {t.corpus.openOriginal}
          </a>
        </footer>
      )}
    </>
  );
}

function Facts({ doc }: { doc: Doc }) {
  const rows: [string, ReactNode][] = [
    [t.corpus.columns.state, doc.is_failed ? stepName('failed') : stepName(doc.step)],
    [t.corpus.kind, doc.media_type || doc.content_type],
    [t.corpus.columns.size, bytes(doc.size ?? 0)],
    [t.corpus.pages, doc.pages ? count(doc.pages) : ''],
    [t.corpus.columns.pieces, doc.pieces ? count(doc.pieces) : ''],
    [t.corpus.version, doc.version ? count(doc.version) : ''],
    [t.corpus.columns.age, <Time key="t" at={doc.created_on} />],
    [t.corpus.tags, (doc.tags ?? []).join(', ')],
  ];
  return (
    <>
      {doc.is_failed && <ErrorLine error={undefined} text={doc.failure_reason || t.error.unknown} className="mb-4" />}
      <dl className="grid grid-cols-[auto_1fr] gap-x-6 gap-y-1.5 tabular-nums">
        {rows
          .filter(([, value]) => value !== '')
          .map(([label, value]) => (
            <div key={label} className="contents">
              <dt className="text-muted">{label}</dt>
              <dd className="min-w-0 break-words">{value}</dd>
            </div>
          ))}
      </dl>
    </>
  );
}

function Text({ doc }: { doc: Doc }) {
  const text = useQuery(passageQuery(doc.id, doc.version ?? 0, 0, preview));
  if (text.isPending) return <Skeleton rows={8} row="h-4" className="mt-6" />;
  if (text.error || !text.data?.quote) return <p className="mt-6 text-muted">{t.corpus.noText}</p>;
  return (
    <section aria-label={t.corpus.text} className="mt-6 border-t border-line pt-4">
      <p dir="auto" className="leading-6 whitespace-pre-wrap">
        {text.data.quote}
        {text.data.after && '…'}
      </p>
    </section>
  );
}
