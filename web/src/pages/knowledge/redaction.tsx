import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { api, take } from '../../api/client';
import { keys } from '../../api/queries';
import type { Corpus } from '../../api/types';
import { t } from '../../strings';
import { ts } from '../../strings.search';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { ErrorLine } from '../../ui/state';

const r = ts.redaction;
type Type = keyof typeof r.types;
const types = Object.keys(r.types) as Type[];

/** How much was replaced, in words. */
export function replaced(counts: Record<string, number>): string {
  return types
    .filter((x) => counts[x])
    .map((x) => `${r.types[x]}: ${counts[x]}`)
    .join(', ');
}

/** Which personal data is replaced when the documents of a corpus are read. */
export function Redaction({ corpus, onClose }: { corpus: Corpus; onClose: () => void }) {
  const queryClient = useQueryClient();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set(corpus.pii_redaction.types ?? []));
  const [keep, setKeep] = useState(corpus.pii_redaction.keep_original);
  const save = useMutation({
    mutationFn: () =>
      take(
        api.PUT('/api/v2/corpora/{corpus_id}', {
          params: { path: { corpus_id: corpus.id } },
          body: { pii_redaction: { types: types.filter((x) => chosen.has(x)), keep_original: keep } },
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
  const turn = (type: Type, on: boolean) => {
    const next = new Set(chosen);
    if (on) next.add(type);
    else next.delete(type);
    setChosen(next);
  };
  return (
    <Dialog open onClose={onClose} title={r.title}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <p className="text-muted">{r.intro}</p>
        <fieldset>
          <legend className="mb-2 font-medium">{r.which}</legend>
          <div className="grid gap-x-4 gap-y-1 sm:grid-cols-2">
            {types.map((x) => (
              <label key={x} className="flex min-h-8 items-center gap-2">
                <input type="checkbox" className="size-4 accent-accent" checked={chosen.has(x)} onChange={(e) => turn(x, e.target.checked)} />
                {r.types[x]}
              </label>
            ))}
          </div>
        </fieldset>
        <label className="flex items-start gap-2">
          <input type="checkbox" className="mt-0.5 size-4 accent-accent" checked={keep} onChange={(e) => setKeep(e.target.checked)} />
          <span>
            {r.keep}
            <span className="block text-muted">{keep ? r.keepHint : r.dropHint}</span>
          </span>
        </label>
        {save.error && <ErrorLine error={save.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t.common.cancel}</Button>
          <Button type="submit" look="primary" disabled={save.isPending}>
            {t.common.save}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
