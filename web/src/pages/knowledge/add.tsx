import { useMutation, useQueryClient } from '@tanstack/react-query';
import { FilePlus2, Files, FolderPlus, Globe, Plus, TextCursorInput } from 'lucide-react';
import { type FormEvent, type RefObject, useRef, useState } from 'react';
import { api } from '../../api/client';
import { fieldProblem } from '../../api/error';
import { keys } from '../../api/queries';
import { chosenFiles } from '../../lib/drop';
import { fromFiles, type Source } from '../../lib/upload';
import { t } from '../../strings';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { Field, Input, Select, Textarea } from '../../ui/field';
import { Menu, MenuItem } from '../../ui/menu';
import { EmptyState, ErrorLine } from '../../ui/state';

type Add = (sources: Source[]) => void;

/** The ways to add documents. */
export function AddMenu({ corpusId, onAdd }: { corpusId: number; onAdd: Add }) {
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const [form, setForm] = useState<'web' | 'text'>();
  return (
    <>
      <Pickers files={files} folder={folder} onAdd={onAdd} />
      <Menu
        trigger={
          <Button look="primary">
            <Plus className="size-4" aria-hidden />
            {t.corpus.add}
          </Button>
        }
      >
        <MenuItem onSelect={() => files.current?.click()}>
          <FilePlus2 aria-hidden />
          {t.corpus.addFiles}
        </MenuItem>
        <MenuItem onSelect={() => folder.current?.click()}>
          <FolderPlus aria-hidden />
          {t.corpus.addFolder}
        </MenuItem>
        <MenuItem onSelect={() => setForm('web')}>
          <Globe aria-hidden />
          {t.corpus.addWeb}
        </MenuItem>
        <MenuItem onSelect={() => setForm('text')}>
          <TextCursorInput aria-hidden />
          {t.corpus.addText}
        </MenuItem>
      </Menu>
      {form === 'web' && <WebForm corpusId={corpusId} onAdd={onAdd} onClose={() => setForm(undefined)} />}
      {form === 'text' && <TextForm onAdd={onAdd} onClose={() => setForm(undefined)} />}
    </>
  );
}

function Pickers({ files, folder, onAdd }: { files: RefObject<HTMLInputElement | null>; folder: RefObject<HTMLInputElement | null>; onAdd: Add }) {
  const take = (input: HTMLInputElement) => {
    const chosen = chosenFiles(input.files);
    if (chosen.length > 0) onAdd(fromFiles(chosen));
    input.value = '';
  };
  return (
    <>
      <input ref={files} type="file" multiple hidden data-pick="files" onChange={(e) => take(e.target)} />
      <input ref={folder} type="file" hidden {...{ webkitdirectory: '' }} onChange={(e) => take(e.target)} />
    </>
  );
}

/** A corpus with nothing in it: where to begin. */
export function EmptyCorpus({ onAdd }: { onAdd: Add }) {
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  return (
    <div className="rounded-lg border border-dashed border-line-strong">
      <Pickers files={files} folder={folder} onAdd={onAdd} />
      <EmptyState icon={<Files aria-hidden />} title={t.corpus.empty} text={t.corpus.emptyText}>
        <Button look="primary" onClick={() => files.current?.click()}>
          {t.corpus.addFiles}
        </Button>
        <Button onClick={() => folder.current?.click()}>{t.corpus.addFolder}</Button>
      </EmptyState>
    </div>
  );
}

type WebKind = 'page' | 'site' | 'sitemap' | 'youtube';

function WebForm({ corpusId, onAdd, onClose }: { corpusId: number; onAdd: Add; onClose: () => void }) {
  const queryClient = useQueryClient();
  const [address, setAddress] = useState('');
  const [kind, setKind] = useState<WebKind>('page');
  const [pages, setPages] = useState(200);
  const [depth, setDepth] = useState(3);
  const [include, setInclude] = useState('');
  const [bad, setBad] = useState(false);
  const many = kind === 'site' || kind === 'sitemap';
  const walk = useMutation({
    mutationFn: (url: string) =>
      api.POST('/api/v2/corpora/{corpus_id}/sources', {
        params: { path: { corpus_id: corpusId } },
        body: {
          kind: kind === 'sitemap' ? 'sitemap' : 'site',
          address: url,
          max_pages: pages,
          max_depth: depth,
          include: include.split(/[\s,]+/).filter(Boolean),
        },
      }),
    meta: { ownError: true },
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: keys.sources(corpusId) });
      onClose();
    },
  });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    const url = address.trim();
    if (!/^https?:\/\/[^\s/]+/i.test(url) || !URL.canParse(url)) {
      setBad(true);
      return;
    }
    if (many) {
      walk.mutate(url);
      return;
    }
    onAdd([{ kind: 'weblink', name: url, url, ...(kind === 'youtube' ? { as: kind } : {}) }]);
    onClose();
  };
  return (
    <Dialog open onClose={onClose} title={t.corpus.webTitle}>
      <form onSubmit={submit} noValidate className="flex flex-col gap-4">
        <Field
          label={t.corpus.webLabel}
          hint={t.corpus.webHint}
          problem={bad ? t.corpus.webBad : fieldProblem(walk.error, 'address')}
        >
          {(f) => (
            <Input
              {...f}
              type="url"
              inputMode="url"
              dir="ltr"
              autoFocus
              placeholder="https://"
              value={address}
              onChange={(e) => {
                setAddress(e.target.value);
                setBad(false);
              }}
            />
          )}
        </Field>
        <Field label={t.corpus.webKind}>
          {(f) => (
            <Select {...f} value={kind} onChange={(e) => setKind(e.target.value as WebKind)}>
              {Object.entries(t.corpus.webKinds).map(([value, label]) => (
                <option key={value} value={value}>
                  {label}
                </option>
              ))}
            </Select>
          )}
        </Field>
        {many && (
          <div className="flex gap-4">
            <Field label={t.corpus.webPages}>
              {(f) => <Input {...f} type="number" min={1} max={5000} value={pages} onChange={(e) => setPages(Number(e.target.value))} />}
            </Field>
            {kind === 'site' && (
              <Field label={t.corpus.webDepth}>
                {(f) => <Input {...f} type="number" min={1} max={10} value={depth} onChange={(e) => setDepth(Number(e.target.value))} />}
              </Field>
            )}
          </div>
        )}
        {many && (
          <Field label={t.corpus.webInclude} hint={t.corpus.webIncludeHint} optional problem={fieldProblem(walk.error, 'include')}>
            {(f) => <Input {...f} dir="ltr" value={include} onChange={(e) => setInclude(e.target.value)} />}
          </Field>
        )}
        {walk.error && <ErrorLine error={walk.error} />}
        <Buttons onClose={onClose} disabled={!address.trim() || walk.isPending} />
      </form>
    </Dialog>
  );
}

function TextForm({ onAdd, onClose }: { onAdd: Add; onClose: () => void }) {
  const [name, setName] = useState('');
  const [text, setText] = useState('');
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (!text.trim()) return;
    onAdd([{ kind: 'text', name: name.trim(), text }]);
    onClose();
  };
  return (
    <Dialog open wide onClose={onClose} title={t.corpus.textTitle}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label={t.corpus.textName} optional>
          {(f) => <Input {...f} autoFocus maxLength={200} value={name} onChange={(e) => setName(e.target.value)} />}
        </Field>
        <Field label={t.corpus.textLabel}>
          {(f) => <Textarea {...f} rows={10} dir="auto" value={text} onChange={(e) => setText(e.target.value)} />}
        </Field>
        <Buttons onClose={onClose} disabled={!text.trim()} />
      </form>
    </Dialog>
  );
}

function Buttons({ onClose, disabled }: { onClose: () => void; disabled: boolean }) {
  return (
    <div className="flex justify-end gap-2">
      <Button onClick={onClose}>{t.common.cancel}</Button>
      <Button type="submit" look="primary" disabled={disabled}>
        {t.corpus.addDo}
      </Button>
    </div>
  );
}

/** Asks what to do with files whose names are in the corpus. */
export function Duplicates({ names, onAnswer }: { names: string[]; onAnswer: (choice: 'all' | 'new' | undefined) => void }) {
  return (
    <Dialog open onClose={() => onAnswer(undefined)} title={t.corpus.duplicates(names.length)} hint={t.corpus.duplicatesText}>
      <ul className="max-h-48 list-disc overflow-y-auto ps-5 text-muted">
        {names.map((n) => (
          <li key={n} className="truncate">
            <bdi>{n}</bdi>
          </li>
        ))}
      </ul>
      <div className="mt-5 flex flex-wrap justify-end gap-2">
        <Button onClick={() => onAnswer(undefined)}>{t.common.cancel}</Button>
        <Button onClick={() => onAnswer('new')}>{t.corpus.duplicatesSkip}</Button>
        <Button look="primary" onClick={() => onAnswer('all')}>
          {t.corpus.duplicatesAll}
        </Button>
      </div>
    </Dialog>
  );
}
