import { useQuery } from '@tanstack/react-query';
import { ChevronRight } from 'lucide-react';
import { useState } from 'react';
import { thoughtsQuery } from '../../api/queries';
import type { AgentResponse, Step } from '../../api/types';
import { span } from '../../lib/format';
import type { LiveView } from '../../lib/live';
import { t } from '../../strings';

interface Line {
  text: string;
  note: string;
}

/** The steps and thoughts behind an answer, as one quiet line that unfolds. */
export function Work({ view, stored }: { view: LiveView | undefined; stored: AgentResponse | undefined }) {
  const [open, setOpen] = useState(false);
  const kept = useQuery({ ...thoughtsQuery(stored?.id ?? 0), enabled: open && stored !== undefined });
  const working = !stored && (view?.state === 'waiting' || view?.state === 'writing');
  const steps: Line[] = stored
    ? (stored.response_steps ?? []).map(describe)
    : (view?.steps ?? []).map((text) => ({ text, note: '' }));
  const thoughts = stored ? (kept.data ?? []).join('\n\n') : (view?.thoughts ?? '');
  if (!working && steps.length === 0 && !thoughts) return null;
  let line = summary(steps.length, stored);
  if (working) line = view?.stopping ? t.chat.stopping : (steps.at(-1)?.text ?? t.chat.working);
  return (
    <details className="group/work text-[0.8125rem] text-muted" onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary className="inline-flex cursor-pointer list-none items-center gap-1.5 rounded hover:text-text [&::-webkit-details-marker]:hidden">
        {working && <span className="pulse size-2 rounded-full bg-accent" aria-hidden />}
        <span>{line}</span>
        <ChevronRight className="size-3.5 transition-transform group-open/work:rotate-90 rtl:rotate-180" aria-hidden />
      </summary>
      <div className="mt-2 flex flex-col gap-2 border-s-2 border-line ps-3">
        <ol aria-label={t.chat.howItWorked} className="flex flex-col gap-1">
          {steps.map((s, i) => (
            <li key={i} className="flex gap-3">
              <span className="min-w-0 grow">{s.text}</span>
              <span className="shrink-0 tabular-nums">{s.note}</span>
            </li>
          ))}
        </ol>
        {thoughts && (
          <div>
            <p className="font-medium">{t.chat.thoughts}</p>
            {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- long thoughts are scrolled by keyboard */}
            <p tabIndex={0} dir="auto" className="max-h-60 overflow-y-auto whitespace-pre-wrap">
              {thoughts}
            </p>
          </div>
        )}
      </div>
    </details>
  );
}

function describe(step: Step): Line {
  // A detail of one word is a code for programs.
  const detail = step.detail?.includes(' ') ? step.detail : '';
  return {
    text: [step.message || step.step_name, detail].filter(Boolean).join(': '),
    note: step.duration_ms ? span(step.duration_ms) : '',
  };
}

function summary(steps: number, stored: AgentResponse | undefined): string {
  const sources = stored?.response.references?.length ?? 0;
  const took = (stored?.response_steps ?? []).reduce((sum, s) => sum + (s.duration_ms ?? 0), 0);
  return [sources > 0 && t.chat.sources(sources), t.chat.steps(steps), took > 0 && span(took)].filter(Boolean).join(' · ');
}
