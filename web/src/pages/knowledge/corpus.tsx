import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { ArrowLeft, CalendarClock, MoreHorizontal, Pencil, RefreshCw, TextSearch, Trash2, UserRoundX, UsersRound } from 'lucide-react';
import { lazy, Suspense, useRef, useState, useSyncExternalStore } from 'react';
import { api, take } from '../../api/client';
import { corpusQuery, documentsQuery, keys } from '../../api/queries';
import type { Doc } from '../../api/types';
import { count } from '../../lib/format';
import { usePaused, useTitle, useWide } from '../../lib/hooks';
import { fromFiles, type Source, type Upload, uploads } from '../../lib/upload';
import { t } from '../../strings';
import { ts } from '../../strings.search';
import { Header } from '../../shell/header';
import { Button, IconButton, Tip } from '../../ui/button';
import { Confirm, Sheet } from '../../ui/dialog';
import { DropZone } from '../../ui/dropzone';
import { SearchInput } from '../../ui/field';
import { Menu, MenuItem } from '../../ui/menu';
import { ErrorState, Skeleton } from '../../ui/state';
import { Tags } from '../../ui/tags';
import { say, sayError } from '../../ui/toast';
import { AddMenu, Duplicates, EmptyCorpus } from './add';
import { DocumentPane } from './document';
import { DocumentTable } from './documents';
import { CorpusForm, DeleteCorpus } from './forms';
import { Redaction } from './redaction';
import { Schedule, Sources } from './sources';
import { isSettled } from './steps';

const CorpusAccess = lazy(() => import('../access/corpus'));

const pollEvery = 1500; // milliseconds, while something is indexed

/** One corpus: its documents, and everything that adds to them. */
export function CorpusPage() {
  const { corpusId } = useParams({ from: '/app/knowledge/$corpusId' });
  return <OneCorpus key={corpusId} id={Number(corpusId)} />;
}

function OneCorpus({ id }: { id: number }) {
  const corpus = useQuery(corpusQuery(id));
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const { doc } = useSearch({ from: '/app/knowledge/$corpusId' });
  const wide = useWide();
  const [search, setSearch] = useState('');
  const [editing, setEditing] = useState<'rename' | 'access' | 'schedule' | 'redaction' | 'delete'>();
  const [deleting, setDeleting] = useState<Doc[]>();
  const [selected, setSelected] = useState<ReadonlySet<number>>(new Set());
  const scroller = useRef<HTMLDivElement>(null);
  const documents = useInfiniteQuery({
    ...documentsQuery(id, usePaused(search.trim())),
    refetchInterval: (q) => (q.state.data?.pages.some((p) => p.documents?.some((d) => !isSettled(d))) ? pollEvery : false),
  });
  const docs = documents.data?.pages.flatMap((p) => p.documents ?? []) ?? [];
  const total = documents.data?.pages[0]?.pagination?.total ?? docs.length;
  const sending = useSending(id, docs);
  const { add, duplicates, answer } = useAdd(id);
  const refresh = useMutation({
    mutationFn: () => api.POST('/indexing-service/api/v2/corpora/{corpus_id}/refresh', { params: { path: { corpus_id: id } } }),
    onSuccess: async () => {
      say(t.sources.refreshing);
      await queryClient.invalidateQueries({ queryKey: keys.corpus(id) });
    },
  });
  const acts = useDocumentActs(id, setDeleting);
  useTitle(corpus.data?.name);

  const close = () => void navigate({ to: '.', search: {} });
  if (corpus.error) return <ErrorState error={corpus.error} retry={() => void corpus.refetch()} />;
  const empty = documents.data && docs.length === 0 && sending.length === 0;
  const pane = doc !== undefined && <DocumentPane id={doc} onClose={close} />;
  return (
    <div className="flex min-h-0 grow">
      <main className="flex min-h-0 min-w-0 grow flex-col">
        <Header
          before={
            <Link to="/knowledge" aria-label={`${t.common.back}: ${t.knowledge.title}`} className="-ms-2 rounded-md p-2 text-muted hover:bg-hover">
              <ArrowLeft className="size-4 rtl:rotate-180" aria-hidden />
            </Link>
          }
          title={<bdi>{corpus.data?.name}</bdi>}
        >
          <Tip label={ts.search.open}>
            <Link
              to="/knowledge/search"
              search={{ corpora: [id] }}
              aria-label={ts.search.open}
              className="inline-flex size-8 shrink-0 items-center justify-center rounded-md text-muted hover:bg-hover hover:text-text"
            >
              <TextSearch className="size-4" aria-hidden />
            </Link>
          </Tip>
          <IconButton label={t.corpus.access} onClick={() => setEditing('access')}>
            <UsersRound />
          </IconButton>
          <AddMenu corpusId={id} onAdd={add} />
          <Menu
            trigger={
              <IconButton label={t.common.more}>
                <MoreHorizontal />
              </IconButton>
            }
          >
            <MenuItem onSelect={() => setEditing('rename')}>
              <Pencil aria-hidden />
              {t.common.rename}
            </MenuItem>
            <MenuItem onSelect={() => refresh.mutate()}>
              <RefreshCw aria-hidden />
              {t.sources.refreshAll}
            </MenuItem>
            <MenuItem onSelect={() => setEditing('schedule')}>
              <CalendarClock aria-hidden />
              {corpus.data?.refresh_enabled ? t.sources.every(corpus.data.refresh_schedule) : t.sources.schedule}
            </MenuItem>
            <MenuItem onSelect={() => setEditing('redaction')}>
              <UserRoundX aria-hidden />
              {ts.redaction.title}
            </MenuItem>
            <MenuItem danger onSelect={() => setEditing('delete')}>
              <Trash2 aria-hidden />
              {t.common.delete}
            </MenuItem>
          </Menu>
        </Header>
        <DropZone onFiles={(files) => void add(fromFiles(files))} title={t.corpus.dropHere} className="flex min-h-0 grow flex-col">
          <div ref={scroller} className="min-h-0 grow overflow-y-auto">
            <div className="mx-auto max-w-6xl px-4 py-5 lg:px-6">
              {corpus.data?.description && <p className="mb-2 max-w-prose text-muted">{corpus.data.description}</p>}
              {corpus.data && (
                <div className="mb-4">
                  <Tags
                    tags={corpus.data.tags ?? []}
                    mayEdit
                    save={async (change) => {
                      await api.PUT('/api/v2/corpora/{corpus_id}/tags', { params: { path: { corpus_id: id } }, body: change });
                      await queryClient.invalidateQueries({ queryKey: keys.corpora });
                    }}
                  />
                </div>
              )}
              {corpus.data && <Sources corpus={corpus.data} />}
              {documents.isPending && <Skeleton />}
              {documents.error && <ErrorState error={documents.error} retry={() => void documents.refetch()} />}
              {empty && !search.trim() && <EmptyCorpus onAdd={add} />}
              {documents.data && !(empty && !search.trim()) && (
                <>
                  <div className="mb-2 flex min-h-9 flex-wrap items-center gap-x-4 gap-y-2">
                    <SearchInput label={t.corpus.search} value={search} onChange={(e) => setSearch(e.target.value)} className="w-64 max-sm:w-full" />
                    {selected.size > 0 ? (
                      <div className="flex items-center gap-3">
                        <span>{t.corpus.selected(selected.size)}</span>
                        <Button small onClick={() => setDeleting(docs.filter((d) => selected.has(d.id)))}>
                          <Trash2 className="size-4" aria-hidden />
                          {t.common.delete}
                        </Button>
                      </div>
                    ) : (
                      <Summary docs={docs} total={total} />
                    )}
                  </div>
                  {empty && <p className="py-8 text-center text-muted">{t.corpus.noMatch}</p>}
                  {!empty && (
                    <DocumentTable
                      corpusId={id}
                      docs={docs}
                      uploads={sending}
                      scroller={scroller}
                      selected={selected}
                      onSelect={setSelected}
                      acts={acts}
                    />
                  )}
                  {documents.hasNextPage && (
                    <div className="flex justify-center py-4">
                      <Button onClick={() => void documents.fetchNextPage()} disabled={documents.isFetchingNextPage}>
                        {t.common.loadMore}
                      </Button>
                    </div>
                  )}
                </>
              )}
            </div>
          </div>
        </DropZone>
      </main>
      {pane &&
        (wide ? (
          <aside aria-label={t.corpus.detail} className="fade-in flex w-[26rem] shrink-0 flex-col border-s border-line">
            {pane}
          </aside>
        ) : (
          <Sheet open onClose={close} title={t.corpus.detail} side="end">
            {pane}
          </Sheet>
        ))}
      {duplicates && <Duplicates names={duplicates.names} onAnswer={answer} />}
      {editing === 'rename' && corpus.data && <CorpusForm corpus={corpus.data} onClose={() => setEditing(undefined)} />}
      {editing === 'schedule' && corpus.data && <Schedule corpus={corpus.data} onClose={() => setEditing(undefined)} />}
      <Suspense>
        {editing === 'redaction' && corpus.data && <Redaction corpus={corpus.data} onClose={() => setEditing(undefined)} />}
        {editing === 'access' && corpus.data && <CorpusAccess corpus={corpus.data} onClose={() => setEditing(undefined)} />}
      </Suspense>
      {editing === 'delete' && corpus.data && (
        <DeleteCorpus
          corpus={{ ...corpus.data, document_count: total }}
          onClose={() => setEditing(undefined)}
          onDone={() => navigate({ to: '/knowledge' })}
        />
      )}
      {deleting && (
        <Confirm
          open
          onClose={() => setDeleting(undefined)}
          title={t.corpus.deleteTitle(deleting.length)}
          text={t.corpus.deleteText}
          verb={t.corpus.deleteDo}
          act={async () => {
            await acts.delete(deleting.map((d) => d.id));
            setSelected(new Set());
            if (deleting.some((d) => d.id === doc)) close();
          }}
        />
      )}
    </div>
  );
}

function Summary({ docs, total }: { docs: Doc[]; total: number }) {
  const done = docs.filter((d) => isSettled(d) && !d.is_failed).length;
  const failed = docs.filter((d) => d.is_failed).length;
  return (
    <p role="status" className="text-muted tabular-nums">
      {t.corpus.summary(done + (total - docs.length), total)}
      {failed > 0 && <span className="text-danger"> · {t.corpus.failedCount(failed)}</span>}
      <span className="sr-only"> ({count(total)})</span>
    </p>
  );
}

/** The uploads of this corpus that do not stand in the table as documents yet. */
function useSending(corpusId: number, docs: Doc[]): Upload[] {
  const all = useSyncExternalStore(uploads.subscribe, uploads.snapshot);
  const known = new Set(docs.map((d) => d.id));
  return all.filter((u) => u.corpusId === corpusId && !(u.state === 'done' && (u.documentId === undefined || known.has(u.documentId))));
}

/** Adds sources; names that are already there are asked about first. */
function useAdd(corpusId: number) {
  const [duplicates, setDuplicates] = useState<{ names: string[]; sources: Source[] }>();
  const add = async (sources: Source[]) => {
    const names = sources.filter((s) => s.kind === 'file').map((s) => s.name);
    if (names.length > 0) {
      try {
        const known = await take(
          api.POST('/api/v2/corpora/{corpus_id}/documents/duplicates', {
            params: { path: { corpus_id: corpusId } },
            body: { documents: names },
          }),
        );
        if ((known.duplicate_files ?? []).length > 0) {
          setDuplicates({ names: known.duplicate_files ?? [], sources });
          return;
        }
      } catch (e) {
        sayError(e);
        return;
      }
    }
    uploads.add(corpusId, sources);
  };
  const answer = (choice: 'all' | 'new' | undefined) => {
    if (duplicates && choice) {
      const known = new Set(duplicates.names);
      uploads.add(corpusId, choice === 'all' ? duplicates.sources : duplicates.sources.filter((s) => !known.has(s.name)));
    }
    setDuplicates(undefined);
  };
  return { add, duplicates, answer };
}

/** What can be done with documents of the table. */
export interface DocumentActs {
  ask: (docs: Doc[]) => void;
  refresh: (doc: Doc) => void;
  delete: (ids: number[]) => Promise<void>;
}

function useDocumentActs(corpusId: number, ask: (docs: Doc[]) => void): DocumentActs {
  const queryClient = useQueryClient();
  const again = () => queryClient.invalidateQueries({ queryKey: keys.documents(corpusId) });
  const refresh = useMutation({
    mutationFn: (doc: Doc) =>
      api.POST('/indexing-service/api/v2/documents/{document_id}/refresh', { params: { path: { document_id: doc.id } } }),
    onSuccess: async (_, doc) => {
      if (!doc.is_failed) say(t.corpus.refreshed(doc.name));
      await Promise.all([again(), queryClient.invalidateQueries({ queryKey: keys.document(doc.id) })]);
    },
  });
  return {
    ask,
    refresh: (doc) => refresh.mutate(doc),
    delete: async (ids) => {
      await api.DELETE('/api/v2/corpora/{corpus_id}/documents', {
        params: { path: { corpus_id: corpusId } },
        body: { document_ids: ids },
      });
      await again();
    },
  };
}
