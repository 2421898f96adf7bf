import { fieldProblem } from '../../api/error';
import type { Agent } from '../../api/types';
import { t } from '../../strings';
import { Field, Input, Select, Textarea } from '../../ui/field';

/** What the form holds. Saving sends all of it. */
export interface Draft {
  agent_name: string;
  description: string;
  prefix_prompt: string;
  sample_q1: string;
  sample_q2: string;
  sample_q3: string;
  model: string;
  /** Of a new agent only. */
  access?: Agent['access'];
  status: Agent['status'];
}

/** The draft that changes nothing of an agent; for none, that of a new one. */
export function draftOf(agent: Agent | undefined): Draft {
  return {
    agent_name: agent?.agent_name ?? '',
    description: agent?.description ?? '',
    prefix_prompt: agent?.prefix_prompt ?? '',
    sample_q1: agent?.sample_q1 ?? '',
    sample_q2: agent?.sample_q2 ?? '',
    sample_q3: agent?.sample_q3 ?? '',
    model: agent?.model ?? '',
    ...(agent ? {} : { access: 'Only me' as const }),
    status: agent?.status ?? 'Live',
  };
}

const starters = ['sample_q1', 'sample_q2', 'sample_q3'] as const;

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
      <fieldset className="flex flex-col gap-2">
        <legend className="mb-1.5 font-medium">{f.starters}</legend>
        {starters.map((key, i) => (
          <Input
            key={key}
            aria-label={f.starter(i + 1)}
            maxLength={500}
            dir="auto"
            value={draft[key]}
            onChange={(e) => put({ [key]: e.target.value })}
          />
        ))}
        <p className="text-xs text-muted">{f.startersHint}</p>
      </fieldset>
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
