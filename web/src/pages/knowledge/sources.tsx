import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Ban, Globe, RefreshCw, Trash2 } from 'lucide-react';
import { type FormEvent, useEffect, useState } from 'react';
import { api, take } from '../../api/client';
import { fieldProblem } from '../../api/error';
import { keys, sourcesQuery } from '../../api/queries';
import type { Corpus, FoundSource } from '../../api/types';
import { t } from '../../strings';
import { Button, IconButton } from '../../ui/button';
import { Confirm, Dialog } from '../../ui/dialog';
import { Field, Input, Select } from '../../ui/field';
import { ErrorLine } from '../../ui/state';
import { Time } from '../../ui/time';

const walking = (s: FoundSource) => s.state === 'pending' || s.state === 'running';
const pollEvery = 1500; // milliseconds, while a source is walked

/** The sites and sitemaps of a corpus, and when they are looked at again. */
export function Sources({ corpus }: { corpus: Corpus }) {
  const queryClient = useQueryClient();
  const [deleting, setDeleting] = useState<FoundSource>();
  const list = useQuery({
    ...sourcesQuery(corpus.id),
    refetchInterval: (q) => (q.state.data?.some(walking) ? pollEvery : false),
  });
  const sources = list.data ?? [];
  const again = () => queryClient.invalidateQueries({ queryKey: keys.corpus(corpus.id) });
  const found = sources.reduce((n, s) => n + (s.document_count ?? 0), 0);
  useEffect(() => {
    if (found > 0) void queryClient.invalidateQueries({ queryKey: keys.documents(corpus.id) });
  }, [found, corpus.id, queryClient]);
  const refresh = useMutation({
    mutationFn: (s: FoundSource) =>
      api.POST('/api/v2/corpora/{corpus_id}/sources/{source_id}/refresh', { params: { path: { corpus_id: corpus.id, source_id: s.id } } }),
    onSuccess: again,
  });
  const cancel = useMutation({
    mutationFn: (s: FoundSource) =>
      api.POST('/api/v2/corpora/{corpus_id}/sources/{source_id}/cancel', { params: { path: { corpus_id: corpus.id, source_id: s.id } } }),
    onSuccess: again,
  });
  if (sources.length === 0) return null;
  return (
    <section aria-label={t.sources.title} className="mb-5 rounded-lg border border-line">
      <h2 className="border-b border-line px-3 py-2 font-medium">{t.sources.title}</h2>
      <ul className="divide-y divide-line">
        {sources.map((s) => (
          <li key={s.id} className="flex items-center gap-3 px-3 py-2">
            <Globe className="size-4 shrink-0 text-muted" aria-hidden />
            <div className="min-w-0 grow">
              <p className="truncate">
                <bdi>{s.address}</bdi>
              </p>
              <p role="status" className={s.state === 'failed' ? 'text-danger' : 'text-muted tabular-nums'}>
                {s.state === 'failed' ? s.error : t.sources.states[s.state]}
                {s.state !== 'failed' && ` · ${t.sources.counts(s.document_count, s.added, s.changed, s.unchanged, s.removed, s.failed)}`}
                {s.is_cut && ` · ${t.sources.cut(s.max_pages)}`}
                {s.ended_on && (
                  <>
                    {' · '}
                    <Time at={s.ended_on} />
                  </>
                )}
              </p>
            </div>
            {walking(s) ? (
              <IconButton label={t.sources.cancel(s.address)} onClick={() => cancel.mutate(s)}>
                <Ban />
              </IconButton>
            ) : (
              <IconButton label={t.sources.refresh(s.address)} onClick={() => refresh.mutate(s)}>
                <RefreshCw />
              </IconButton>
            )}
            <IconButton label={t.sources.delete(s.address)} onClick={() => setDeleting(s)}>
              <Trash2 />
            </IconButton>
          </li>
        ))}
      </ul>
      {deleting && (
        <Confirm
          open
          onClose={() => setDeleting(undefined)}
          title={t.sources.deleteTitle}
          text={t.sources.deleteText(deleting.document_count)}
          verb={t.common.delete}
          act={async () => {
            await api.DELETE('/api/v2/corpora/{corpus_id}/sources/{source_id}', {
              params: { path: { corpus_id: corpus.id, source_id: deleting.id } },
            });
            await again();
          }}
        />
      )}
    </section>
  );
}

/** When the addresses of a corpus are looked at again. */
export function Schedule({ corpus, onClose }: { corpus: Corpus; onClose: () => void }) {
  const queryClient = useQueryClient();
  const [on, setOn] = useState(corpus.refresh_enabled);
  const [when, setWhen] = useState(corpus.refresh_schedule || '1d');
  const save = useMutation({
    mutationFn: () =>
      take(
        api.PUT('/api/v2/corpora/{corpus_id}', {
          params: { path: { corpus_id: corpus.id } },
          body: { refresh_enabled: on, refresh_schedule: when.trim() },
        }),
      ),
    meta: { ownError: true },
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: keys.corpus(corpus.id) });
      onClose();
    },
  });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    save.mutate();
  };
  return (
    <Dialog open onClose={onClose} title={t.sources.schedule}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label={t.sources.scheduleOn}>
          {(f) => (
            <Select {...f} value={on ? 'on' : 'off'} onChange={(e) => setOn(e.target.value === 'on')}>
              <option value="on">{t.sources.on}</option>
              <option value="off">{t.sources.off}</option>
            </Select>
          )}
        </Field>
        <Field label={t.sources.when} hint={t.sources.whenHint} problem={fieldProblem(save.error, 'refresh_schedule')}>
          {(f) => <Input {...f} dir="ltr" maxLength={100} value={when} onChange={(e) => setWhen(e.target.value)} />}
        </Field>
        {save.error && <ErrorLine error={save.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t.common.cancel}</Button>
          <Button type="submit" look="primary" disabled={!when.trim() || save.isPending}>
            {t.common.save}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
