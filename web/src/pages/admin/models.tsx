import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Cpu, Plus } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { api, take } from '../../api/client';
import { fieldProblem } from '../../api/error';
import { at, isGlobalAdmin } from '../../api/people';
import { meQuery } from '../../api/queries';
import type { ModelConfig } from '../../api/types';
import { useTitle } from '../../lib/hooks';
import { t } from '../../strings';
import { p } from '../../strings.people';
import { Button } from '../../ui/button';
import { Confirm, Dialog } from '../../ui/dialog';
import { Field, Input, Select } from '../../ui/field';
import { Page } from '../../ui/page';
import { Badge, EmptyState, ErrorLine, ErrorState, Skeleton } from '../../ui/state';

const most = 200;
const root = '/api/v2/organizations/me/llm-configurations';
const one = '/api/v2/organizations/me/llm-configurations/{llm_configuration_id}';

/** The models that can answer for the organization. */
export function ModelsPage() {
  useTitle(p.models.title);
  const { data: me } = useQuery(meQuery);
  const queryClient = useQueryClient();
  const [editing, setEditing] = useState<ModelConfig | 'new'>();
  const [deleting, setDeleting] = useState<ModelConfig>();
  const list = useQuery({
    queryKey: at.models,
    queryFn: async ({ signal }): Promise<ModelConfig[]> =>
      (await take(api.GET(root, { signal, params: { query: { page_size: most } } }))).llm_configurations ?? [],
  });
  const org = me?.organization?.id;
  const now = useQuery({
    queryKey: at.deployment,
    enabled: org !== undefined,
    queryFn: ({ signal }) =>
      take(
        api.GET('/api/v2/organizations/{organization_id}/model-deployment', {
          signal,
          params: { path: { organization_id: org ?? 0 } },
        }),
      ),
  });
  const may = isGlobalAdmin(me);
  const create = may && (
    <Button look="primary" onClick={() => setEditing('new')}>
      <Plus className="size-4" aria-hidden />
      {p.models.create}
    </Button>
  );
  return (
    <Page slim title={p.models.title} actions={create}>
      <p className="mb-4 max-w-prose text-muted">{p.models.intro}</p>
      {now.data && (
        <p className="mb-4 rounded-md bg-sunken px-3 py-2" role="status">
          {p.models.answers} <strong className="font-medium">{now.data.model || now.data.provider}</strong>
          <span className="text-muted"> · {now.data.configuration_id ? p.models.byConfiguration : p.models.byServer}</span>
        </p>
      )}
      {list.isPending && <Skeleton rows={3} />}
      {list.error && <ErrorState error={list.error} retry={() => void list.refetch()} />}
      {list.data?.length === 0 && (
        <EmptyState icon={<Cpu aria-hidden />} title={p.models.empty} text={p.models.emptyText}>
          {create}
        </EmptyState>
      )}
      {(list.data?.length ?? 0) > 0 && (
        <ul className="divide-y divide-line rounded-md border border-line">
          {list.data?.map((c) => (
            <Row key={c.id} config={c} may={may} onEdit={() => setEditing(c)} onDelete={() => setDeleting(c)} />
          ))}
        </ul>
      )}
      {editing && <ModelForm config={editing === 'new' ? undefined : editing} onClose={() => setEditing(undefined)} />}
      {deleting && (
        <Confirm
          open
          onClose={() => setDeleting(undefined)}
          title={p.models.deleteTitle(deleting.name)}
          text={p.models.deleteText}
          verb={p.models.deleteDo}
          act={async () => {
            await api.DELETE(one, { params: { path: { llm_configuration_id: deleting.id } } });
            await queryClient.invalidateQueries({ queryKey: at.models });
          }}
        />
      )}
    </Page>
  );
}

function Row({ config: c, may, onEdit, onDelete }: { config: ModelConfig; may: boolean; onEdit: () => void; onDelete: () => void }) {
  const queryClient = useQueryClient();
  const path = { params: { path: { llm_configuration_id: c.id } } };
  const test = useMutation({
    mutationFn: () => take(api.POST('/api/v2/organizations/me/llm-configurations/{llm_configuration_id}/test', path)),
    meta: { ownError: true },
  });
  const activate = useMutation({
    mutationFn: () => api.POST('/api/v2/organizations/me/llm-configurations/{llm_configuration_id}/activate', path),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: at.models }),
  });
  const rest = useMutation({
    mutationFn: () => api.PUT(one, { ...path, body: { is_active: false } }),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: at.models }),
  });
  return (
    <li className="flex flex-wrap items-start gap-2 px-3 py-2.5">
      <div className="min-w-0 grow basis-56">
        <p className="flex items-center gap-2 font-medium">
          <bdi className="truncate">{c.name}</bdi>
          {c.is_active && <Badge tone="accent">{p.models.active}</Badge>}
        </p>
        <p className="truncate text-muted">
          {p.models.providers[c.provider] ?? c.provider} · {c.model || '–'}
        </p>
        <p className="truncate text-xs text-muted">
          {c.endpoint || p.models.ownEndpoint} · {c.has_key ? p.models.hasKey : p.models.noKey}
        </p>
        <div role="status" className="mt-1">
          {test.isPending && <span className="text-muted">{p.models.testing}</span>}
          {test.data?.ok && <span className="text-ok">{p.models.testOk}</span>}
          {test.data && !test.data.ok && <ErrorLine error={undefined} text={test.data.message} />}
          {test.error && <ErrorLine error={test.error} />}
        </div>
      </div>
      {may && (
        <div className="flex shrink-0 flex-wrap">
          <Button small look="quiet" aria-label={`${p.models.test}: ${c.name}`} disabled={test.isPending} onClick={() => test.mutate()}>
            {p.models.test}
          </Button>
          {c.is_active ? (
            <Button small look="quiet" aria-label={`${p.models.deactivate}: ${c.name}`} disabled={rest.isPending} onClick={() => rest.mutate()}>
              {p.models.deactivate}
            </Button>
          ) : (
            <Button small look="quiet" aria-label={`${p.models.activate}: ${c.name}`} disabled={activate.isPending} onClick={() => activate.mutate()}>
              {p.models.activate}
            </Button>
          )}
          <Button small look="quiet" aria-label={`${t.common.edit}: ${c.name}`} onClick={onEdit}>
            {t.common.edit}
          </Button>
          <Button small look="quiet" className="text-danger" aria-label={`${t.common.delete}: ${c.name}`} onClick={onDelete}>
            {t.common.delete}
          </Button>
        </div>
      )}
    </li>
  );
}

const number = (s: string): number | null => (s.trim() === '' || Number.isNaN(Number(s)) ? null : Number(s));

function ModelForm({ config, onClose }: { config: ModelConfig | undefined; onClose: () => void }) {
  const queryClient = useQueryClient();
  const [draft, setDraft] = useState({
    name: config?.name ?? '',
    provider: config?.provider ?? 'openai',
    model: config?.model ?? '',
    endpoint: config?.endpoint ?? '',
    key: '',
    temperature: String(config?.parameters?.temperature ?? ''),
    maxTokens: String(config?.parameters?.max_tokens ?? ''),
    promptPrice: String(config?.prompt_price ?? ''),
    completionPrice: String(config?.completion_price ?? ''),
  });
  const put = (part: Partial<typeof draft>) => setDraft({ ...draft, ...part });
  const save = useMutation({
    mutationFn: () => {
      const body = {
        name: draft.name.trim(),
        provider: draft.provider,
        model: draft.model.trim(),
        endpoint: draft.endpoint.trim(),
        parameters: { temperature: number(draft.temperature), max_tokens: number(draft.maxTokens) },
        prompt_price: number(draft.promptPrice) ?? 0,
        completion_price: number(draft.completionPrice) ?? 0,
        ...(draft.key ? { key: draft.key } : {}),
      };
      if (config) return take(api.PUT(one, { params: { path: { llm_configuration_id: config.id } }, body }));
      return take(api.POST(root, { body }));
    },
    meta: { ownError: true },
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: at.models });
      onClose();
    },
  });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (draft.name.trim()) save.mutate();
  };
  return (
    <Dialog open wide onClose={onClose} title={config ? p.models.editTitle : p.models.createTitle}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label={t.common.name} problem={fieldProblem(save.error, 'name')}>
            {(f) => <Input {...f} autoFocus required maxLength={100} value={draft.name} onChange={(e) => put({ name: e.target.value })} />}
          </Field>
          <Field label={p.models.provider} problem={fieldProblem(save.error, 'provider')}>
            {(f) => (
              <Select {...f} value={draft.provider} onChange={(e) => put({ provider: e.target.value as typeof draft.provider })}>
                {Object.entries(p.models.providers).map(([value, label]) => (
                  <option key={value} value={value}>
                    {label}
                  </option>
                ))}
              </Select>
            )}
          </Field>
        </div>
        {draft.provider !== 'offline' && (
          <>
            <Field label={p.models.model} hint={p.models.modelHint} problem={fieldProblem(save.error, 'model')}>
              {(f) => <Input {...f} dir="ltr" maxLength={200} value={draft.model} onChange={(e) => put({ model: e.target.value })} />}
            </Field>
            <Field label={p.models.endpoint} optional hint={p.models.endpointHint} problem={fieldProblem(save.error, 'endpoint')}>
              {(f) => <Input {...f} dir="ltr" type="url" maxLength={1000} value={draft.endpoint} onChange={(e) => put({ endpoint: e.target.value })} />}
            </Field>
            <Field label={p.models.key} hint={config?.has_key ? p.models.keyKept : p.models.keyHint} problem={fieldProblem(save.error, 'key')}>
              {(f) => <Input {...f} dir="ltr" type="password" autoComplete="off" maxLength={1000} value={draft.key} onChange={(e) => put({ key: e.target.value })} />}
            </Field>
            <div className="grid gap-4 sm:grid-cols-2">
              <Field label={p.models.temperature} optional problem={fieldProblem(save.error, 'temperature')}>
                {(f) => <Input {...f} inputMode="decimal" value={draft.temperature} onChange={(e) => put({ temperature: e.target.value })} />}
              </Field>
              <Field label={p.models.maxTokens} optional problem={fieldProblem(save.error, 'max_tokens')}>
                {(f) => <Input {...f} inputMode="numeric" value={draft.maxTokens} onChange={(e) => put({ maxTokens: e.target.value })} />}
              </Field>
              <Field label={p.models.promptPrice} optional hint={p.models.priceHint} problem={fieldProblem(save.error, 'prompt_price')}>
                {(f) => <Input {...f} inputMode="decimal" value={draft.promptPrice} onChange={(e) => put({ promptPrice: e.target.value })} />}
              </Field>
              <Field label={p.models.completionPrice} optional hint={p.models.priceHint} problem={fieldProblem(save.error, 'completion_price')}>
                {(f) => <Input {...f} inputMode="decimal" value={draft.completionPrice} onChange={(e) => put({ completionPrice: e.target.value })} />}
              </Field>
            </div>
          </>
        )}
        {save.error && <ErrorLine error={save.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t.common.cancel}</Button>
          <Button type="submit" look="primary" disabled={!draft.name.trim() || save.isPending}>
            {config ? t.common.save : t.common.create}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
