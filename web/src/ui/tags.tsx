import { useMutation } from '@tanstack/react-query';
import { Plus, X } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { ts } from '../strings.search';
import { Button, IconButton } from './button';
import { ErrorLine } from './state';

/** The tags of something. Each change is saved at once. */
export function Tags({
  tags,
  mayEdit,
  save,
}: {
  tags: readonly string[];
  mayEdit: boolean;
  save: (change: { add?: string[]; remove?: string[] }) => Promise<unknown>;
}) {
  const [draft, setDraft] = useState<string>();
  const change = useMutation({ mutationFn: save, meta: { ownError: true } });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    const add = (draft ?? '').split(',').map((x) => x.trim()).filter(Boolean);
    if (add.length === 0) {
      setDraft(undefined);
      return;
    }
    change.mutate({ add }, { onSuccess: () => setDraft(undefined) });
  };
  return (
    <div className="flex flex-col gap-2">
      <ul aria-label={ts.tags.title} className="flex flex-wrap items-center gap-1.5">
        {tags.map((tag) => (
          <li key={tag} className="flex h-6 max-w-full items-center gap-1 rounded-full bg-hover ps-2.5 pe-1 text-xs">
            <bdi className="truncate" title={tag}>
              {tag}
            </bdi>
            {mayEdit ? (
              <button
                type="button"
                aria-label={ts.tags.remove(tag)}
                disabled={change.isPending}
                className="rounded-full p-0.5 text-muted hover:text-text disabled:opacity-50"
                onClick={() => change.mutate({ remove: [tag] })}
              >
                <X className="size-3.5" aria-hidden />
              </button>
            ) : (
              <span className="w-1" />
            )}
          </li>
        ))}
        {tags.length === 0 && !mayEdit && <li className="text-muted">{ts.tags.none}</li>}
        {mayEdit && (
          <li>
            {draft === undefined && tags.length === 0 ? (
              <Button small look="quiet" className="-ms-2.5 h-6 text-muted" onClick={() => setDraft('')}>
                <Plus className="size-4" aria-hidden />
                {ts.tags.add}
              </Button>
            ) : draft === undefined ? (
              <IconButton label={ts.tags.add} className="size-6" onClick={() => setDraft('')}>
                <Plus />
              </IconButton>
            ) : (
              <form onSubmit={submit}>
                <input
                  autoFocus
                  aria-label={ts.tags.add}
                  placeholder={ts.tags.add}
                  dir="auto"
                  maxLength={100}
                  value={draft}
                  disabled={change.isPending}
                  onChange={(e) => setDraft(e.target.value)}
                  onKeyDown={(e) => {
                    if (e.key !== 'Escape') return;
                    e.stopPropagation();
                    setDraft(undefined);
                  }}
                  onBlur={() => !draft.trim() && setDraft(undefined)}
                  className="h-6 w-32 rounded-full border border-line-strong bg-bg px-2.5 text-xs"
                />
              </form>
            )}
          </li>
        )}
      </ul>
      {change.error && <ErrorLine error={change.error} />}
    </div>
  );
}
