import { ArrowUp, Plus, X } from 'lucide-react';
import { fieldProblem } from '../../api/error';
import type { Agent } from '../../api/types';
import { t } from '../../strings';
import { ts } from '../../strings.search';
import { Button, IconButton } from '../../ui/button';
import { Field, Input, Select, Textarea } from '../../ui/field';

/** What the form holds. Saving sends all of it. */
export interface Draft {
  agent_name: string;
  description: string;
  prefix_prompt: string;
  /** In their order; blank ones are not saved. */
  starters: string[];
  model: string;
  /** Of a new agent only. */
  access?: Agent['access'];
  status: Agent['status'];
}

/** The draft that changes nothing of an agent; for none, that of a new one. */
export function draftOf(agent: Agent | undefined, starters: string[]): Draft {
  return {
    agent_name: agent?.agent_name ?? '',
    description: agent?.description ?? '',
    prefix_prompt: agent?.prefix_prompt ?? '',
    starters,
    model: agent?.model ?? '',
    ...(agent ? {} : { access: 'Only me' as const }),
    status: agent?.status ?? 'Live',
  };
}

/** The starters that a draft would save. */
export const written = (starters: string[]) => starters.map((q) => q.trim()).filter(Boolean);

const fewest = 3; // fields that are always there
const most = 20;

/** The questions that are offered before the first one. */
function Starters({ list, onChange }: { list: string[]; onChange: (list: string[]) => void }) {
  const f = t.agents.form;
  const rows = Array.from({ length: Math.max(fewest, list.length) }, (_, i) => list[i] ?? '');
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="mb-1.5 font-medium">{f.starters}</legend>
      {rows.map((q, i) => (
        <div key={i} className="flex items-center gap-1">
          <Input
            aria-label={f.starter(i + 1)}
            maxLength={500}
            dir="auto"
            value={q}
            onChange={(e) => onChange(rows.map((x, j) => (j === i ? e.target.value : x)))}
          />
          <IconButton
            label={ts.starters.up(i + 1)}
            disabled={i === 0}
            onClick={() => onChange(rows.map((x, j) => (j === i - 1 ? q : j === i ? (rows[i - 1] ?? '') : x)))}
          >
            <ArrowUp />
          </IconButton>
          <IconButton label={ts.starters.remove(i + 1)} disabled={q === '' && rows.length <= fewest} onClick={() => onChange(rows.filter((_, j) => j !== i))}>
            <X />
          </IconButton>
        </div>
      ))}
      <div className="flex flex-wrap items-center gap-3">
        <Button small disabled={rows.length >= most} onClick={() => onChange([...rows, ''])}>
          <Plus className="size-4" aria-hidden />
          {ts.starters.add}
        </Button>
        <p className="text-xs text-muted">{rows.length >= most ? ts.starters.most : f.startersHint}</p>
      </div>
    </fieldset>
  );
}

/** The fields of an agent; who may use one that exists is said where it is shared. */
export function AgentFields({ draft, onChange, error, fresh }: { draft: Draft; onChange: (d: Draft) => void; error: unknown; fresh: boolean }) {
  const put = (part: Partial<Draft>) => onChange({ ...draft, ...part });
  const f = t.agents.form;
  return (
    <>
      <Field label={f.name} problem={fieldProblem(error, 'agent_name') ?? fieldProblem(error, 'name')}>
        {(p) => <Input {...p} required maxLength={200} value={draft.agent_name} onChange={(e) => put({ agent_name: e.target.value })} />}
      </Field>
      <Field label={f.description} hint={f.descriptionHint} problem={fieldProblem(error, 'description')} optional>
        {(p) => <Textarea {...p} rows={2} maxLength={4000} dir="auto" value={draft.description} onChange={(e) => put({ description: e.target.value })} />}
      </Field>
      <Field label={f.prompt} hint={f.promptHint} problem={fieldProblem(error, 'prefix_prompt')} optional>
        {(p) => (
          <Textarea {...p} rows={8} maxLength={32000} dir="auto" value={draft.prefix_prompt} onChange={(e) => put({ prefix_prompt: e.target.value })} />
        )}
      </Field>
      <Starters list={draft.starters} onChange={(starters) => put({ starters })} />
      <div className="grid gap-5 sm:grid-cols-2">
        {fresh && (
          <Field label={f.access} problem={fieldProblem(error, 'access')}>
            {(p) => (
              <Select {...p} value={draft.access} onChange={(e) => put({ access: e.target.value as Draft['access'] })}>
                {Object.entries(t.agents.access).map(([value, label]) => (
                  <option key={value} value={value}>
                    {label}
                  </option>
                ))}
              </Select>
            )}
          </Field>
        )}
        <Field label={f.status} problem={fieldProblem(error, 'status')}>
          {(p) => (
            <Select {...p} value={draft.status} onChange={(e) => put({ status: e.target.value as Draft['status'] })}>
              <option value="Live">{f.live}</option>
              <option value="Inactive">{f.inactive}</option>
            </Select>
          )}
        </Field>
      </div>
      <Field label={f.model} hint={f.modelHint} problem={fieldProblem(error, 'model')} optional>
        {(p) => <Input {...p} maxLength={200} dir="ltr" placeholder={f.modelDefault} value={draft.model} onChange={(e) => put({ model: e.target.value })} />}
      </Field>
    </>
  );
}
