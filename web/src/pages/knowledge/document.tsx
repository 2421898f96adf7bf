import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { ExternalLink, X } from 'lucide-react';
import type { ReactNode } from 'react';
import { api } from '../../api/client';
import { documentQuery, documentStartersQuery, keys, passageQuery, versionsQuery } from '../../api/queries';
import type { Doc } from '../../api/types';
import { bytes, count } from '../../lib/format';
import { t } from '../../strings';
import { ts } from '../../strings.search';
import { Button, buttonClass, IconButton } from '../../ui/button';
import { Badge, ErrorLine, ErrorState, Skeleton } from '../../ui/state';
import { Tags } from '../../ui/tags';
import { Time } from '../../ui/time';
import { replaced } from './redaction';
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
        {doc.data && (doc.data.version ?? 0) > 1 && <Versions doc={doc.data} />}
        {doc.data && isSettled(doc.data) && !doc.data.is_failed && (
          <>
            <Starters doc={doc.data} />
            <Text doc={doc.data} />
          </>
        )}
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
  const queryClient = useQueryClient();
  const rows: [string, ReactNode][] = [
    [t.corpus.columns.state, doc.is_failed ? stepName('failed') : stepName(doc.step)],
    [t.corpus.kind, doc.media_type || doc.content_type],
    [t.corpus.columns.size, bytes(doc.size ?? 0)],
    [t.corpus.pages, doc.pages ? count(doc.pages) : ''],
    [t.corpus.columns.pieces, doc.pieces ? count(doc.pieces) : ''],
    [t.corpus.version, doc.version ? count(doc.version) : ''],
    [ts.redaction.replaced, replaced(doc.redactions ?? {})],
    [t.corpus.columns.age, <Time key="t" at={doc.created_on} />],
    [
      t.corpus.tags,
      <Tags
        key="tags"
        tags={doc.tags ?? []}
        mayEdit
        save={async (change) => {
          await api.PUT('/api/v2/documents/{document_id}/tags', { params: { path: { document_id: doc.id } }, body: change });
          await Promise.all([
            queryClient.invalidateQueries({ queryKey: keys.document(doc.id), exact: true }),
            queryClient.invalidateQueries({ queryKey: keys.documents(doc.corpus_id) }),
          ]);
        }}
      />,
    ],
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

/** The states of a document; citations of old answers open theirs. */
function Versions({ doc }: { doc: Doc }) {
  const versions = useInfiniteQuery(versionsQuery(doc.id));
  const list = versions.data?.pages.flatMap((p) => p.versions ?? []) ?? [];
  return (
    <section aria-label={ts.versions.title} className="mt-6 border-t border-line pt-4">
      <h3 className="mb-1 font-medium">{ts.versions.title}</h3>
      {versions.isPending && <Skeleton rows={2} row="h-8" />}
      {versions.error && <ErrorLine error={versions.error} />}
      <ul className="divide-y divide-line">
        {list.map((v) => (
          <li key={v.number} className="flex min-h-10 items-center gap-3 py-1">
            <div className="min-w-0 grow">
              <p className="flex items-center gap-2">
                {ts.versions.number(v.number)}
                {v.is_current && <Badge tone="accent">{ts.versions.current}</Badge>}
              </p>
              <p className="text-xs text-muted">
                <Time at={v.created_on} /> · {bytes(v.size)}
                {v.pages > 0 && ` · ${ts.versions.pages(v.pages)}`}
                {v.sha256 && (
                  <>
                    {' · '}
                    <code className="font-mono" title={v.sha256}>
                      {v.sha256.slice(0, 8)}
                    </code>
                  </>
                )}
              </p>
            </div>
            <a href={v.access_url} target="_blank" rel="noopener noreferrer" aria-label={ts.versions.open(v.number)} className={buttonClass('quiet', true)}>
              <ExternalLink className="size-4" aria-hidden />
            </a>
          </li>
        ))}
      </ul>
      {versions.hasNextPage && (
        <Button small onClick={() => void versions.fetchNextPage()} disabled={versions.isFetchingNextPage}>
          {t.common.loadMore}
        </Button>
      )}
    </section>
  );
}

/** Questions that the document answers; pressing one shows how it is found. */
function Starters({ doc }: { doc: Doc }) {
  const starters = useQuery(documentStartersQuery(doc.id, doc.version ?? 0));
  const list = starters.data?.conversation_starters ?? [];
  if (list.length === 0) return null;
  return (
    <section aria-label={ts.starters.fromDocument} className="mt-6 border-t border-line pt-4">
      <h3 className="mb-2 font-medium">{ts.starters.fromDocument}</h3>
      <ul className="flex flex-col items-start gap-1.5">
        {list.map((x) => (
          <li key={x.question} className="max-w-full">
            <Link
              to="/knowledge/search"
              search={{ q: x.question, corpora: [doc.corpus_id] }}
              dir="auto"
              className="block rounded-lg border border-line px-3 py-1.5 break-words hover:bg-hover"
            >
              {x.question}
            </Link>
          </li>
        ))}
      </ul>
      {starters.data?.is_drafting && (
        <p role="status" className="mt-2 text-xs text-muted">
          {ts.starters.drafting}
        </p>
      )}
    </section>
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
