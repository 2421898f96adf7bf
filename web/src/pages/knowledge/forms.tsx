import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { api, take } from '../../api/client';
import { fieldProblem } from '../../api/error';
import { keys } from '../../api/queries';
import type { Corpus } from '../../api/types';
import { t } from '../../strings';
import { Button } from '../../ui/button';
import { Confirm, Dialog } from '../../ui/dialog';
import { Field, Input, Select, Textarea } from '../../ui/field';
import { ErrorLine } from '../../ui/state';

type Mode = 1 | 2 | 3;
const standard: Mode = 2;

/** Makes a corpus, or changes the name and description of one. */
export function CorpusForm({ corpus, onClose }: { corpus: Corpus | undefined; onClose: () => void }) {
  const queryClient = useQueryClient();
  const navigate = useNavigate();
  const [name, setName] = useState(corpus?.name ?? '');
  const [description, setDescription] = useState(corpus?.description ?? '');
  const [mode, setMode] = useState<Mode>(standard);
  const save = useMutation({
    mutationFn: async () => {
      const body = { name: name.trim(), description: description.trim() };
      if (corpus) return take(api.PUT('/api/v2/corpora/{corpus_id}', { params: { path: { corpus_id: corpus.id } }, body }));
      return take(api.POST('/api/v2/corpora', { body: { ...body, indexing_mode_id: mode, corpus_type: 'document' } }));
    },
    meta: { ownError: true },
    onSuccess: async (saved) => {
      await queryClient.invalidateQueries({ queryKey: keys.corpora });
      onClose();
      if (!corpus) await navigate({ to: '/knowledge/$corpusId', params: { corpusId: String(saved.id) } });
    },
  });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (name.trim()) save.mutate();
  };
  return (
    <Dialog open onClose={onClose} title={corpus ? t.knowledge.renameTitle : t.knowledge.createTitle}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label={t.common.name} problem={fieldProblem(save.error, 'name')}>
          {(f) => <Input {...f} autoFocus required maxLength={200} value={name} onChange={(e) => setName(e.target.value)} />}
        </Field>
        <Field label={t.common.description} optional problem={fieldProblem(save.error, 'description')}>
          {(f) => <Textarea {...f} rows={3} value={description} onChange={(e) => setDescription(e.target.value)} />}
        </Field>
        {!corpus && (
          <Field label={t.knowledge.mode}>
            {(f) => (
              <Select {...f} value={mode} onChange={(e) => setMode(Number(e.target.value) as Mode)}>
                {Object.entries(t.knowledge.modes).map(([id, label]) => (
                  <option key={id} value={id}>
                    {label}
                  </option>
                ))}
              </Select>
            )}
          </Field>
        )}
        {save.error && <ErrorLine error={save.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t.common.cancel}</Button>
          <Button type="submit" look="primary" disabled={!name.trim() || save.isPending}>
            {corpus ? t.common.save : t.common.create}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** Asks before a corpus and all its documents go. */
export function DeleteCorpus({ corpus, onClose, onDone }: { corpus: Corpus; onClose: () => void; onDone?: () => Promise<void> }) {
  const queryClient = useQueryClient();
  return (
    <Confirm
      open
      onClose={onClose}
      title={t.knowledge.deleteTitle(corpus.name)}
      text={t.knowledge.deleteText(corpus.document_count ?? 0)}
      verb={t.knowledge.deleteDo}
      act={async () => {
        await api.DELETE('/api/v2/corpora/{corpus_id}', { params: { path: { corpus_id: corpus.id } } });
        // The view that shows it has to go first, or it would ask for what is gone.
        await onDone?.();
        queryClient.removeQueries({ queryKey: keys.corpus(corpus.id) });
        await queryClient.invalidateQueries({ queryKey: keys.corpora, exact: true });
      }}
    />
  );
}
