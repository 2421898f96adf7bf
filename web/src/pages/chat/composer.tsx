import { ArrowUp, FileText, Paperclip, Square, X } from 'lucide-react';
import { type FormEvent, type KeyboardEvent, type RefObject, useLayoutEffect, useRef } from 'react';
import { chosenFiles, type Dropped } from '../../lib/drop';
import { t } from '../../strings';
import { IconButton, Tip } from '../../ui/button';
import { cx } from '../../ui/cx';
import { errorText, Progress } from '../../ui/state';
import type { Attachment } from './attachments';

const tallest = 220; // pixels, then the field scrolls

/** Where the question is written. Enter asks, Shift with Enter makes a line. */
export function Composer({
  field,
  agentName,
  value,
  onChange,
  onAsk,
  onFiles,
  onRemoveFile,
  attachments,
  disabled,
  busy,
  stopping,
  onStop,
}: {
  field: RefObject<HTMLTextAreaElement | null>;
  agentName: string;
  value: string;
  onChange: (v: string) => void;
  onAsk: () => void;
  onFiles: (files: Dropped[]) => void;
  onRemoveFile: (a: Attachment) => void;
  attachments: Attachment[];
  disabled: boolean;
  busy: boolean;
  stopping: boolean;
  onStop: () => void;
}) {
  const picker = useRef<HTMLInputElement>(null);
  const reading = attachments.some((a) => a.state === 'sending' || a.state === 'indexing');
  const ready = value.trim() !== '' && !disabled && !reading && !busy;
  useLayoutEffect(() => {
    if (field.current) fit(field.current);
  }, [value, field]);
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (ready) onAsk();
  };
  const onKeyDown = (e: KeyboardEvent) => {
    if (e.key !== 'Enter' || e.shiftKey || e.nativeEvent.isComposing) return;
    e.preventDefault();
    if (ready) onAsk();
  };
  return (
    <form
      onSubmit={submit}
      className="rounded-xl border border-line-strong/60 bg-raised shadow-sm focus-within:border-accent"
    >
      {attachments.length > 0 && (
        <ul aria-label={t.chat.attached} className="flex max-h-32 flex-wrap gap-2 overflow-y-auto px-3 pt-3">
          {attachments.map((a) => (
            <Chip key={a.key} attachment={a} onRemove={() => onRemoveFile(a)} />
          ))}
        </ul>
      )}
      <textarea
        ref={field}
        rows={1}
        aria-label={t.chat.placeholder(agentName)}
        placeholder={t.chat.placeholder(agentName)}
        value={value}
        disabled={disabled}
        onChange={(e) => onChange(e.target.value)}
        onKeyDown={onKeyDown}
        dir="auto"
        className="block w-full resize-none bg-transparent px-4 pt-3 pb-1 text-[0.9375rem] leading-6 outline-none placeholder:text-muted"
      />
      <div className="flex items-center gap-1 px-2 pb-2">
        <input
          ref={picker}
          type="file"
          multiple
          hidden
          onChange={(e) => {
            const files = chosenFiles(e.target.files);
            if (files.length > 0) onFiles(files);
            e.target.value = '';
          }}
        />
        <IconButton label={t.chat.attach} side="top" disabled={disabled} onClick={() => picker.current?.click()}>
          <Paperclip />
        </IconButton>
        <span className="min-w-0 grow truncate px-1 text-xs text-muted">{reading && t.chat.waitFiles}</span>
        {busy ? (
          <Tip label={`${t.chat.stop} (Esc)`} side="top">
            <button
              type="button"
              aria-label={t.chat.stop}
              disabled={stopping}
              onClick={onStop}
              className="inline-flex size-8 items-center justify-center rounded-full bg-text text-bg disabled:opacity-50"
            >
              <Square className="size-3 fill-current" aria-hidden />
            </button>
          </Tip>
        ) : (
          <button
            type="submit"
            aria-label={t.chat.ask}
            disabled={!ready}
            className={cx(
              'inline-flex size-8 items-center justify-center rounded-full transition-colors',
              ready ? 'bg-accent text-on-accent hover:bg-accent-hover' : 'bg-hover text-muted',
            )}
          >
            <ArrowUp className="size-4" aria-hidden />
          </button>
        )}
      </div>
    </form>
  );
}

/** Makes the field as tall as its text. */
function fit(el: HTMLTextAreaElement): void {
  el.style.height = 'auto';
  el.style.height = `${Math.min(el.scrollHeight, tallest)}px`;
}

function Chip({ attachment: a, onRemove }: { attachment: Attachment; onRemove: () => void }) {
  const state = a.state === 'sending' ? t.chat.fileState.sending(Math.round(a.sent * 100)) : t.chat.fileState[a.state];
  return (
    <li
      className={cx(
        'flex max-w-60 items-center gap-2 rounded-md border border-line bg-bg py-1 ps-2 pe-1',
        a.state === 'failed' && 'border-danger',
      )}
    >
      <FileText className="size-4 shrink-0 text-muted" aria-hidden />
      <div className="min-w-0">
        <p className="truncate text-xs font-medium" title={a.name}>
          <bdi>{a.name}</bdi>
        </p>
        <p className={cx('truncate text-xs', a.state === 'failed' ? 'text-danger' : 'text-muted')} title={a.error ? errorText(a.error) : undefined}>
          {a.error ? errorText(a.error) : state}
        </p>
        {(a.state === 'sending' || a.state === 'indexing') && (
          <Progress value={a.state === 'sending' ? a.sent : undefined} label={t.corpus.progress(a.name)} />
        )}
      </div>
      <IconButton label={t.chat.removeFile(a.name)} className="size-6" onClick={onRemove}>
        <X />
      </IconButton>
    </li>
  );
}
