import { Link } from '@tanstack/react-router';
import { MoreHorizontal, RotateCw, Trash2, X } from 'lucide-react';
import type { RefObject } from 'react';
import type { Doc } from '../../api/types';
import { bytes, count } from '../../lib/format';
import { type Upload, uploads } from '../../lib/upload';
import { t } from '../../strings';
import { Button, IconButton } from '../../ui/button';
import { cx } from '../../ui/cx';
import { Menu, MenuItem } from '../../ui/menu';
import { useRows } from '../../ui/rows';
import { Badge, errorText, Progress } from '../../ui/state';
import { Gap, Table, Td, Th, wideOnly } from '../../ui/table';
import { Time } from '../../ui/time';
import type { DocumentActs } from './corpus';
import { isSettled, stepName, stepPart } from './steps';

const rowHeight = 45; // pixels
const columns = 7;

/** The documents of a corpus; what is still being sent stands first. */
export function DocumentTable({
  corpusId,
  docs,
  uploads: sending,
  scroller,
  selected,
  onSelect,
  acts,
}: {
  corpusId: number;
  docs: Doc[];
  uploads: Upload[];
  scroller: RefObject<HTMLElement | null>;
  selected: ReadonlySet<number>;
  onSelect: (s: ReadonlySet<number>) => void;
  acts: DocumentActs;
}) {
  const rows = useRows(docs.length, rowHeight, scroller);
  const all = docs.length > 0 && docs.every((d) => selected.has(d.id));
  const toggle = (id: number) => {
    const next = new Set(selected);
    if (!next.delete(id)) next.add(id);
    onSelect(next);
  };
  return (
    <Table className="table-fixed">
      <thead>
        <tr>
          <Th className="w-9">
            <input
              type="checkbox"
              className="size-4 align-middle accent-accent"
              aria-label={t.corpus.selectAll}
              checked={all}
              disabled={docs.length === 0}
              onChange={() => onSelect(all ? new Set() : new Set(docs.map((d) => d.id)))}
            />
          </Th>
          <Th>{t.corpus.columns.name}</Th>
          <Th className="w-48 max-md:w-28">{t.corpus.columns.state}</Th>
          <Th end className={cx('w-20', wideOnly)}>{t.corpus.columns.pieces}</Th>
          <Th end className={cx('w-24', wideOnly)}>{t.corpus.columns.size}</Th>
          <Th className={cx('w-32', wideOnly)}>{t.corpus.columns.age}</Th>
          <Th className="w-12">
            <span className="sr-only">{t.corpus.columns.actions}</span>
          </Th>
        </tr>
      </thead>
      <tbody>
        {sending.map((u) => (
          <UploadRow key={`u${u.id}`} upload={u} />
        ))}
        <Gap height={rows.before} columns={columns} />
        {rows.indexes.map((i) => {
          const doc = docs[i];
          return (
            doc && (
              <DocRow key={doc.id} corpusId={corpusId} doc={doc} selected={selected.has(doc.id)} onToggle={() => toggle(doc.id)} acts={acts} />
            )
          );
        })}
        <Gap height={rows.after} columns={columns} />
      </tbody>
    </Table>
  );
}

function DocRow({ corpusId, doc, selected, onToggle, acts }: { corpusId: number; doc: Doc; selected: boolean; onToggle: () => void; acts: DocumentActs }) {
  const name = doc.name || doc.source;
  return (
    <tr className={cx('hover:bg-sunken', selected && 'bg-accent-soft hover:bg-accent-soft')}>
      <Td>
        <input
          type="checkbox"
          className="size-4 align-middle accent-accent"
          aria-label={t.corpus.select(name)}
          checked={selected}
          onChange={onToggle}
        />
      </Td>
      <Td>
        <Link
          to="/knowledge/$corpusId"
          params={{ corpusId: String(corpusId) }}
          search={{ doc: doc.id }}
          title={name}
          className="block truncate hover:underline"
        >
          <bdi>{name}</bdi>
        </Link>
        {doc.is_failed && doc.failure_reason && <p className="text-xs whitespace-normal text-danger">{doc.failure_reason}</p>}
        <p className="text-xs text-muted md:hidden">
          {bytes(doc.size ?? 0)} · <Time at={doc.created_on} />
        </p>
      </Td>
      <Td>
        <State doc={doc} name={name} onRetry={() => acts.refresh(doc)} />
      </Td>
      <Td className={cx('text-end', wideOnly)}>{isSettled(doc) && !doc.is_failed ? count(doc.pieces ?? 0) : ''}</Td>
      <Td className={cx('text-end whitespace-nowrap', wideOnly)}>{bytes(doc.size ?? 0)}</Td>
      <Td className={cx('text-muted', wideOnly)}>
        <Time at={doc.created_on} />
      </Td>
      <Td>
        <Menu
          trigger={
            <IconButton label={`${t.common.more}: ${name}`}>
              <MoreHorizontal />
            </IconButton>
          }
        >
          <MenuItem disabled={!isSettled(doc)} onSelect={() => acts.refresh(doc)}>
            <RotateCw aria-hidden />
            {t.corpus.refresh}
          </MenuItem>
          <MenuItem danger onSelect={() => acts.ask([doc])}>
            <Trash2 aria-hidden />
            {t.common.delete}
          </MenuItem>
        </Menu>
      </Td>
    </tr>
  );
}

function State({ doc, name, onRetry }: { doc: Doc; name: string; onRetry: () => void }) {
  if (doc.is_failed) {
    return (
      <div className="flex flex-wrap items-center gap-2">
        <Badge tone="danger">{stepName('failed')}</Badge>
        <Button small look="quiet" onClick={onRetry} aria-label={`${t.corpus.retry}: ${name}`}>
          {t.corpus.retry}
        </Button>
      </div>
    );
  }
  if (isSettled(doc)) return <Badge tone="ok">{stepName('completed')}</Badge>;
  return (
    <div className="flex flex-col gap-1">
      <span className="text-xs text-muted">{stepName(doc.step)}</span>
      <Progress value={stepPart(doc.step)} label={t.corpus.progress(name)} />
    </div>
  );
}

function UploadRow({ upload: u }: { upload: Upload }) {
  const name = u.source.name || t.corpus.text;
  return (
    <tr>
      <Td />
      <Td>
        <span className="block truncate" title={name}>
          <bdi>{name}</bdi>
        </span>
        {u.error && <p className="text-xs whitespace-normal text-danger">{errorText(u.error)}</p>}
      </Td>
      <Td>
        {u.state === 'failed' ? (
          <div className="flex flex-wrap items-center gap-2">
            <Badge tone="danger">{stepName('failed')}</Badge>
            <Button small look="quiet" onClick={() => uploads.retry(u.id)} aria-label={`${t.corpus.retry}: ${name}`}>
              {t.corpus.retry}
            </Button>
          </div>
        ) : (
          <div className="flex flex-col gap-1">
            <span className="text-xs text-muted tabular-nums">
              {u.state === 'queued' ? stepName('queued') : t.corpus.step.sending(Math.round(u.sent * 100))}
            </span>
            <Progress value={u.sent} label={t.corpus.progress(name)} />
          </div>
        )}
      </Td>
      <Td className={wideOnly} />
      <Td className={cx('text-end whitespace-nowrap', wideOnly)}>{u.source.kind === 'file' ? bytes(u.source.size) : ''}</Td>
      <Td className={wideOnly} />
      <Td>
        {u.state === 'failed' && (
          <IconButton label={`${t.corpus.dismiss}: ${name}`} onClick={() => uploads.dismiss(u.id)}>
            <X />
          </IconButton>
        )}
      </Td>
    </tr>
  );
}
