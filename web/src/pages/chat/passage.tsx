import { useQuery } from '@tanstack/react-query';
import { ChevronLeft, ChevronRight, ExternalLink, X } from 'lucide-react';
import { useEffect, useRef } from 'react';
import { passageQuery } from '../../api/queries';
import type { Reference } from '../../api/types';
import { t } from '../../strings';
import { buttonClass, IconButton } from '../../ui/button';
import { ErrorState, Skeleton } from '../../ui/state';

/** A cited passage at its place in the document, with the quote marked. */
export function PassagePane({
  reference,
  references,
  onGo,
  onClose,
}: {
  reference: Reference;
  references: Reference[];
  onGo: (number: number) => void;
  onClose: () => void;
}) {
  const passage = useQuery(passageQuery(reference.document_id, reference.version, reference.start, reference.end));
  const quote = useRef<HTMLElement>(null);
  const at = references.findIndex((r) => r.number === reference.number);
  useEffect(() => {
    quote.current?.scrollIntoView({ block: 'center' });
  }, [passage.data]);
  const page = passage.data?.page ?? reference.page;
  return (
    <>
      <header className="flex h-14 shrink-0 items-center gap-1 border-b border-line ps-4 pe-2">
        <h2 className="min-w-0 grow truncate font-semibold">{t.chat.source(reference.number)}</h2>
        {references.length > 1 && (
          <>
            <IconButton label={t.chat.source(references[at - 1]?.number ?? reference.number)} disabled={at <= 0} onClick={() => onGo(references[at - 1]?.number ?? 0)}>
              <ChevronLeft className="rtl:rotate-180" />
            </IconButton>
            <IconButton label={t.chat.source(references[at + 1]?.number ?? reference.number)} disabled={at >= references.length - 1} onClick={() => onGo(references[at + 1]?.number ?? 0)}>
              <ChevronRight className="rtl:rotate-180" />
            </IconButton>
          </>
        )}
        <IconButton label={t.common.close} onClick={onClose}>
          <X />
        </IconButton>
      </header>
      <div className="flex shrink-0 flex-col gap-0.5 border-b border-line px-4 py-3">
        <p className="font-medium">
          <bdi>{reference.title}</bdi>
        </p>
        <p className="text-xs text-muted">
          {[page ? t.chat.passagePage(page) : '', (passage.data?.heading ?? '').replaceAll(' > ', ' › ')].filter(Boolean).join(' · ')}
        </p>
      </div>
      {/* The text may be longer than the pane: the keyboard must reach its end. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <div tabIndex={0} role="region" aria-label={reference.title} className="min-h-0 grow overflow-y-auto px-4 py-4">
        {passage.isPending && <Skeleton rows={8} row="h-4" />}
        {passage.error && <ErrorState error={passage.error} retry={() => void passage.refetch()} />}
        {passage.data && (
          <p dir="auto" className="text-[0.9375rem] leading-7 whitespace-pre-wrap">
            <span className="text-muted">{passage.data.before}</span>
            <mark ref={quote} className="py-0.5">
              {passage.data.quote}
            </mark>
            <span className="text-muted">{passage.data.after}</span>
          </p>
        )}
      </div>
      {reference.url && (
        <footer className="shrink-0 border-t border-line p-3">
          <a href={reference.url} target="_blank" rel="noopener noreferrer" title={t.chat.opensIn(reference.url)} className={buttonClass()}>
            <ExternalLink className="size-4" aria-hidden />
            {t.chat.passageOpen}
          </a>
        </footer>
      )}
    </>
  );
}
