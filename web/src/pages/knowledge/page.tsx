import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { BookOpen, MoreHorizontal, Pencil, Plus, TextSearch, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { corporaQuery } from '../../api/queries';
import type { Corpus } from '../../api/types';
import { count } from '../../lib/format';
import { useTitle } from '../../lib/hooks';
import { t } from '../../strings';
import { ts } from '../../strings.search';
import { Header } from '../../shell/header';
import { Button, buttonClass, IconButton } from '../../ui/button';
import { SearchInput } from '../../ui/field';
import { Menu, MenuItem } from '../../ui/menu';
import { EmptyState, ErrorState, Skeleton } from '../../ui/state';
import { Table, Td, Th, wideOnly } from '../../ui/table';
import { Time } from '../../ui/time';
import { CorpusForm, DeleteCorpus } from './forms';

/** All corpora that the person may see. */
export function KnowledgePage() {
  useTitle(t.knowledge.title);
  const corpora = useQuery(corporaQuery);
  const [search, setSearch] = useState('');
  const [editing, setEditing] = useState<Corpus | 'new'>();
  const [deleting, setDeleting] = useState<Corpus>();
  const word = search.trim().toLocaleLowerCase();
  const listed = (corpora.data ?? []).filter((c) => c.corpus_type !== 'attachment');
  const found = listed.filter((c) => `${c.name} ${c.description ?? ''} ${(c.tags ?? []).join(' ')}`.toLocaleLowerCase().includes(word));
  return (
    <main className="flex min-h-0 grow flex-col">
      <Header title={t.knowledge.title}>
        <Link to="/knowledge/search" aria-label={ts.search.open} className={buttonClass()}>
          <TextSearch className="size-4" aria-hidden />
          <span className="max-sm:hidden">{ts.search.open}</span>
        </Link>
        <Button look="primary" onClick={() => setEditing('new')}>
          <Plus className="size-4" aria-hidden />
          {t.knowledge.create}
        </Button>
      </Header>
      <div className="min-h-0 grow overflow-y-auto">
        <div className="mx-auto max-w-5xl px-4 py-5 lg:px-6">
          {corpora.isPending && <Skeleton />}
          {corpora.error && <ErrorState error={corpora.error} retry={() => void corpora.refetch()} />}
          {corpora.data && listed.length === 0 && (
            <EmptyState icon={<BookOpen aria-hidden />} title={t.knowledge.empty} text={t.knowledge.emptyText}>
              <Button look="primary" onClick={() => setEditing('new')}>
                {t.knowledge.create}
              </Button>
            </EmptyState>
          )}
          {listed.length > 0 && (
            <>
              <SearchInput label={t.knowledge.search} value={search} onChange={(e) => setSearch(e.target.value)} className="mb-3 sm:max-w-xs" />
              {found.length === 0 && <p className="py-8 text-center text-muted">{t.knowledge.noMatch}</p>}
              {found.length > 0 && (
                <Table>
                  <thead>
                    <tr>
                      <Th>{t.knowledge.columns.name}</Th>
                      <Th end>{t.knowledge.columns.documents}</Th>
                      <Th className={wideOnly}>{t.knowledge.columns.mode}</Th>
                      <Th className={wideOnly}>{t.knowledge.columns.owner}</Th>
                      <Th className={wideOnly}>{t.knowledge.columns.changed}</Th>
                      <Th>
                        <span className="sr-only">{t.corpus.columns.actions}</span>
                      </Th>
                    </tr>
                  </thead>
                  <tbody>
                    {found.map((c) => (
                      <Row key={c.id} corpus={c} onEdit={() => setEditing(c)} onDelete={() => setDeleting(c)} />
                    ))}
                  </tbody>
                </Table>
              )}
            </>
          )}
        </div>
      </div>
      {editing && <CorpusForm corpus={editing === 'new' ? undefined : editing} onClose={() => setEditing(undefined)} />}
      {deleting && <DeleteCorpus corpus={deleting} onClose={() => setDeleting(undefined)} />}
    </main>
  );
}

function Row({ corpus, onEdit, onDelete }: { corpus: Corpus; onEdit: () => void; onDelete: () => void }) {
  const mode = corpus.indexing_mode?.mode ?? '';
  return (
    <tr className="hover:bg-sunken">
      <Td className="w-full max-w-0 min-w-40">
        <Link
          to="/knowledge/$corpusId"
          params={{ corpusId: String(corpus.id) }}
          className="block truncate font-medium hover:underline"
        >
          <bdi>{corpus.name}</bdi>
        </Link>
        {corpus.description && (
          <p className="truncate text-xs text-muted" title={corpus.description}>
            {corpus.description}
          </p>
        )}
        {(corpus.tags ?? []).length > 0 && <p className="truncate text-xs text-muted">{(corpus.tags ?? []).join(' · ')}</p>}
      </Td>
      <Td className="text-end">{count(corpus.document_count ?? 0)}</Td>
      <Td className={wideOnly}>{t.knowledge.modeNames[mode] ?? mode}</Td>
      <Td className={`max-w-48 truncate text-muted ${wideOnly}`}>{corpus.created_by}</Td>
      <Td className={`text-muted ${wideOnly}`}>
        <Time at={corpus.modified_on || corpus.created_on} />
      </Td>
      <Td className="w-10">
        <Menu
          trigger={
            <IconButton label={`${t.common.more}: ${corpus.name}`}>
              <MoreHorizontal />
            </IconButton>
          }
        >
          <MenuItem onSelect={onEdit}>
            <Pencil aria-hidden />
            {t.common.rename}
          </MenuItem>
          <MenuItem danger onSelect={onDelete}>
            <Trash2 aria-hidden />
            {t.common.delete}
          </MenuItem>
        </Menu>
      </Td>
    </tr>
  );
}
