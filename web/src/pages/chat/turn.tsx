import { Pencil, RotateCcw, ThumbsDown, ThumbsUp } from 'lucide-react';
import { type FormEvent, type KeyboardEvent, memo, useMemo, useState, useSyncExternalStore } from 'react';
import type { AgentResponse } from '../../api/types';
import type { LiveAnswer, LiveView } from '../../lib/live';
import { t } from '../../strings';
import { Button, IconButton } from '../../ui/button';
import { CopyIcon } from '../../ui/copy';
import { cx } from '../../ui/cx';
import { Textarea } from '../../ui/field';
import { ErrorLine } from '../../ui/state';
import { Feedback, useVote } from './feedback';
import { type Cites, Markdown } from './markdown';
import { Work } from './work';

/** What a turn can ask of the conversation around it. All are stable. */
export interface TurnActs {
  ask: (question: string, fresh: boolean) => void;
  cite: (response: AgentResponse, number: number) => void;
}

const nothing = () => () => undefined;
const none = (): LiveView | undefined => undefined;

/**
 * One question with its answer, on its way or stored. It listens to its own
 * stream, so a new word draws this turn and none of the others.
 */
export const Turn = memo(function Turn({
  question,
  live,
  stored,
  agentName,
  last,
  busy,
  acts,
}: {
  question: string;
  live: LiveAnswer | undefined;
  stored: AgentResponse | undefined;
  agentName: string;
  last: boolean;
  busy: boolean;
  acts: TurnActs;
}) {
  const view = useSyncExternalStore(live ? live.subscribe : nothing, live ? live.snapshot : none);
  const cites = useMemo<Cites | undefined>(() => {
    if (!stored) return undefined;
    const titles = new Map((stored.response.references ?? []).map((r) => [r.number, r.title]));
    return { titles, open: (number) => acts.cite(stored, number) };
  }, [stored, acts]);
  const answer = stored?.response.answer ?? view?.text ?? '';
  const streaming = !stored && (view?.state === 'waiting' || view?.state === 'writing');
  const failed = stored ? stored.response.success === false && !answer : view?.state === 'failed';
  return (
    <article aria-label={t.chat.asked(question)} className={cx('flex flex-col gap-3', !last && 'turn-asleep')}>
      <QuestionBubble question={question} busy={busy} onAsk={(q) => acts.ask(q, false)} />
      <section aria-label={t.chat.answer(agentName)} aria-busy={streaming} className="group/answer flex min-w-0 flex-col gap-2">
        <Work view={view} stored={stored} />
        {answer && <Markdown text={answer} streaming={streaming} cites={cites} />}
        {view?.reconnecting && !stored && <p className="text-muted">{t.chat.reconnecting}</p>}
        {failed && (
          <div className="flex flex-col items-start gap-2">
            {view?.error ? <ErrorLine error={view.error} /> : <p className="text-danger">{stored?.response.message || t.chat.failed}</p>}
            <Button small onClick={() => acts.ask(question, false)} disabled={busy}>
              {t.common.retry}
            </Button>
          </div>
        )}
        {stored && answer && <After stored={stored} answer={answer} last={last} busy={busy} acts={acts} />}
      </section>
    </article>
  );
});

function QuestionBubble({ question, busy, onAsk }: { question: string; busy: boolean; onAsk: (q: string) => void }) {
  const [draft, setDraft] = useState<string>();
  if (draft === undefined) {
    return (
      <div className="group/question flex items-start justify-end gap-1">
        <IconButton
          label={t.chat.edit}
          side="top"
          disabled={busy}
          onClick={() => setDraft(question)}
          className="opacity-0 group-hover/question:opacity-100 focus-visible:opacity-100 max-lg:opacity-100"
        >
          <Pencil />
        </IconButton>
        <h2 dir="auto" className="max-w-[85%] rounded-2xl rounded-ee-md bg-hover px-4 py-2 text-[0.9375rem] leading-6 whitespace-pre-wrap">
          {question}
        </h2>
      </div>
    );
  }
  const send = () => {
    if (!draft.trim() || busy) return;
    setDraft(undefined);
    onAsk(draft.trim());
  };
  const onKeyDown = (e: KeyboardEvent) => {
    if (e.key === 'Escape') {
      e.stopPropagation();
      setDraft(undefined);
    } else if (e.key === 'Enter' && !e.shiftKey && !e.nativeEvent.isComposing) {
      e.preventDefault();
      send();
    }
  };
  const submit = (e: FormEvent) => {
    e.preventDefault();
    send();
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-2">
      <Textarea autoFocus aria-label={t.chat.edit} dir="auto" value={draft} onChange={(e) => setDraft(e.target.value)} onKeyDown={onKeyDown} />
      <div className="flex justify-end gap-2">
        <Button small onClick={() => setDraft(undefined)}>
          {t.common.cancel}
        </Button>
        <Button small look="primary" type="submit" disabled={!draft.trim() || busy}>
          {t.chat.askAgain}
        </Button>
      </div>
    </form>
  );
}

/** What one can do with a finished answer. */
function After({ stored, answer, last, busy, acts }: { stored: AgentResponse; answer: string; last: boolean; busy: boolean; acts: TurnActs }) {
  const vote = useVote(stored);
  const followups = stored.response.followup_questions ?? [];
  return (
    <>
      <div className="-ms-2 flex items-center">
        <CopyIcon text={answer} label={t.chat.copyAnswer} />
        <IconButton label={t.chat.retry} disabled={busy} onClick={() => acts.ask(stored.question, true)}>
          <RotateCcw />
        </IconButton>
        <IconButton label={t.chat.up} aria-pressed={vote.value === 'up'} onClick={() => vote.cast('up')} className="aria-pressed:text-accent">
          <ThumbsUp />
        </IconButton>
        <IconButton label={t.chat.down} aria-pressed={vote.value === 'down'} onClick={() => vote.cast('down')} className="aria-pressed:text-accent">
          <ThumbsDown />
        </IconButton>
      </div>
      {vote.asking && <Feedback responseId={stored.id} value={vote.asking} onClose={vote.close} />}
      {last && followups.length > 0 && (
        <div className="mt-1 flex flex-col items-start gap-1.5">
          <h3 className="text-xs text-muted">{t.chat.followups}</h3>
          {followups.map((q) => (
            <button
              key={q}
              type="button"
              disabled={busy}
              dir="auto"
              onClick={() => acts.ask(q, false)}
              className="rounded-lg border border-line px-3 py-1.5 text-start hover:bg-hover disabled:opacity-50"
            >
              {q}
            </button>
          ))}
        </div>
      )}
    </>
  );
}
