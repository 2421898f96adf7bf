import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Plus, ShieldCheck, X } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { api, take } from '../../api/client';
import { fieldProblem } from '../../api/error';
import { allProjectsQuery, allTeamsQuery, at, isGlobalAdmin, setsQuery } from '../../api/people';
import { meQuery } from '../../api/queries';
import type { PermissionSet } from '../../api/types';
import { useTitle } from '../../lib/hooks';
import { t } from '../../strings';
import { p } from '../../strings.people';
import { Button, IconButton } from '../../ui/button';
import { Confirm, Dialog } from '../../ui/dialog';
import { Field, Input, Select } from '../../ui/field';
import { Page } from '../../ui/page';
import { EmptyState, ErrorLine, ErrorState, Skeleton } from '../../ui/state';

export const actions = ['view', 'use', 'create', 'edit', 'delete', 'manage'] as const;

type Breadth = 'organization' | 'project' | 'team';

/** What rules can be about, and how far they can reach there. */
export const grantable: Record<string, readonly Breadth[]> = {
  agent: ['organization', 'project', 'team'],
  project: ['organization', 'project', 'team'],
  team: ['organization', 'team'],
  corpus: ['organization'],
  document: ['organization'],
  user: ['organization'],
  notification: ['organization'],
  feature_flag: ['organization'],
  llm_configuration: ['organization'],
  audit_event: ['organization'],
};

type Rule = PermissionSet['rules'][number];

const first: Rule = { resource: 'agent', action: 'view', scope: 'organization' };
const isWide = (r: Rule) => (r.scope ?? 'organization') === 'organization';

/** Named bundles of rights, to be given to people. */
export function SetsPage() {
  useTitle(p.sets.title);
  const { data: me } = useQuery(meQuery);
  const queryClient = useQueryClient();
  const list = useQuery(setsQuery);
  const [editing, setEditing] = useState<PermissionSet | 'new'>();
  const [deleting, setDeleting] = useState<PermissionSet>();
  const may = isGlobalAdmin(me);
  const create = may && (
    <Button look="primary" onClick={() => setEditing('new')}>
      <Plus className="size-4" aria-hidden />
      {p.sets.create}
    </Button>
  );
  return (
    <Page slim title={p.sets.title} actions={create}>
      <p className="mb-4 max-w-prose text-muted">{p.sets.intro}</p>
      {list.isPending && <Skeleton rows={3} />}
      {list.error && <ErrorState error={list.error} retry={() => void list.refetch()} />}
      {list.data?.length === 0 && (
        <EmptyState icon={<ShieldCheck aria-hidden />} title={p.sets.empty} text={p.sets.emptyText}>
          {create}
        </EmptyState>
      )}
      {(list.data?.length ?? 0) > 0 && (
        <ul className="divide-y divide-line rounded-md border border-line">
          {list.data?.map((s) => (
            <li key={s.id} className="flex items-start gap-2 px-3 py-2.5">
              <div className="min-w-0 grow">
                <p className="font-medium">
                  <bdi>{s.name}</bdi>
                </p>
                {s.description && <p className="text-muted">{s.description}</p>}
                <p className="mt-1 text-xs text-muted">{(s.rules ?? []).map((r) => ruleText(r)).join(' · ')}</p>
                <p className="mt-1 text-xs text-muted">{p.sets.heldBy(s.held_by)}</p>
              </div>
              {may && (
                <div className="flex shrink-0">
                  <Button small look="quiet" aria-label={`${t.common.edit}: ${s.name}`} onClick={() => setEditing(s)}>
                    {t.common.edit}
                  </Button>
                  <Button small look="quiet" className="text-danger" aria-label={`${t.common.delete}: ${s.name}`} onClick={() => setDeleting(s)}>
                    {t.common.delete}
                  </Button>
                </div>
              )}
            </li>
          ))}
        </ul>
      )}
      {editing && <SetForm set={editing === 'new' ? undefined : editing} onClose={() => setEditing(undefined)} />}
      {deleting && (
        <Confirm
          open
          onClose={() => setDeleting(undefined)}
          title={p.sets.deleteTitle(deleting.name)}
          text={p.sets.deleteText(deleting.held_by)}
          verb={p.sets.deleteDo}
          act={async () => {
            await api.DELETE('/api/v2/permission-sets/{permission_set_id}', { params: { path: { permission_set_id: deleting.id } } });
            await queryClient.invalidateQueries({ queryKey: at.sets });
            await queryClient.invalidateQueries({ queryKey: at.people });
          }}
        />
      )}
    </Page>
  );
}

function ruleText(r: Rule): string {
  const what = `${p.actions[r.action] ?? r.action} ${(p.resources[r.resource] ?? r.resource).toLocaleLowerCase()}`;
  return isWide(r) ? what : `${what} ${p.sets.within[r.scope ?? ''] ?? ''} ${r.scope_id ?? ''}`;
}

function SetForm({ set, onClose }: { set: PermissionSet | undefined; onClose: () => void }) {
  const queryClient = useQueryClient();
  const [name, setName] = useState(set?.name ?? '');
  const [description, setDescription] = useState(set?.description ?? '');
  const [rules, setRules] = useState<Rule[]>(() => set?.rules ?? [first]);
  const save = useMutation({
    mutationFn: () => {
      const body = { name: name.trim(), description: description.trim(), rules };
      if (set) {
        return take(api.PUT('/api/v2/permission-sets/{permission_set_id}', { params: { path: { permission_set_id: set.id } }, body }));
      }
      return take(api.POST('/api/v2/permission-sets', { body }));
    },
    meta: { ownError: true },
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: at.sets });
      await queryClient.invalidateQueries({ queryKey: at.people });
      onClose();
    },
  });
  const ready = name.trim() !== '' && rules.length > 0 && rules.every((r) => isWide(r) || r.scope_id);
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (ready) save.mutate();
  };
  const change = (i: number, part: Partial<Rule>) => setRules(rules.map((r, j) => (j === i ? { ...r, ...part } : r)));
  return (
    <Dialog open wide onClose={onClose} title={set ? p.sets.editTitle : p.sets.createTitle}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label={t.common.name} problem={fieldProblem(save.error, 'name')}>
          {(f) => <Input {...f} autoFocus required maxLength={100} value={name} onChange={(e) => setName(e.target.value)} />}
        </Field>
        <Field label={t.common.description} optional problem={fieldProblem(save.error, 'description')}>
          {(f) => <Input {...f} maxLength={1000} value={description} onChange={(e) => setDescription(e.target.value)} />}
        </Field>
        <fieldset className="flex flex-col gap-2">
          <legend className="mb-1.5 font-medium">{p.sets.rules}</legend>
          {rules.map((r, i) => (
            <RuleRow key={i} n={i + 1} rule={r} onChange={(part) => change(i, part)} onRemove={() => setRules(rules.filter((_, j) => j !== i))} />
          ))}
          <Button
            small
            className="self-start"
            disabled={rules.length >= 100}
            onClick={() => setRules([...rules, first])}
          >
            <Plus className="size-4" aria-hidden />
            {p.sets.addRule}
          </Button>
        </fieldset>
        {save.error && <ErrorLine error={save.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t.common.cancel}</Button>
          <Button type="submit" look="primary" disabled={!ready || save.isPending}>
            {set ? t.common.save : t.common.create}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function RuleRow({ n, rule, onChange, onRemove }: { n: number; rule: Rule; onChange: (part: Partial<Rule>) => void; onRemove: () => void }) {
  const breadths = grantable[rule.resource] ?? ['organization'];
  const teams = useQuery({ ...allTeamsQuery, enabled: rule.scope === 'team' });
  const projects = useQuery({ ...allProjectsQuery, enabled: rule.scope === 'project' });
  const places = (rule.scope === 'team' ? teams.data : projects.data) ?? [];
  return (
    <div className="flex flex-wrap items-center gap-2 rounded-md border border-line p-2">
      <Select aria-label={`${p.sets.action} ${n}`} className="h-8! w-28! max-sm:grow" value={rule.action} onChange={(e) => onChange({ action: e.target.value as Rule['action'] })}>
        {actions.map((a) => (
          <option key={a} value={a}>
            {p.actions[a]}
          </option>
        ))}
      </Select>
      <Select
        aria-label={`${p.sets.resource} ${n}`}
        className="h-8! w-44! max-sm:w-32! max-sm:grow"
        value={rule.resource}
        onChange={(e) => onChange({ resource: e.target.value, scope: 'organization', scope_id: undefined })}
      >
        {Object.keys(grantable).map((r) => (
          <option key={r} value={r}>
            {p.resources[r]}
          </option>
        ))}
      </Select>
      <Select
        aria-label={`${p.sets.scope} ${n}`}
        className="h-8! w-44! max-sm:w-32! max-sm:grow"
        value={rule.scope ?? 'organization'}
        disabled={breadths.length === 1}
        onChange={(e) => onChange({ scope: e.target.value as Rule['scope'], scope_id: undefined })}
      >
        {breadths.map((b) => (
          <option key={b} value={b}>
            {p.sets.scopes[b]}
          </option>
        ))}
      </Select>
      {!isWide(rule) && (
        <Select
          aria-label={`${p.sets.place} ${n}`}
          className="h-8! w-44! max-sm:w-32! max-sm:grow"
          value={rule.scope_id ?? ''}
          onChange={(e) => onChange({ scope_id: Number(e.target.value) || undefined })}
        >
          <option value="">{p.sets.choose}</option>
          {places.map((x) => (
            <option key={x.id} value={x.id}>
              {x.name}
            </option>
          ))}
        </Select>
      )}
      <IconButton label={`${p.sets.removeRule} ${n}`} className="ms-auto" onClick={onRemove}>
        <X />
      </IconButton>
    </div>
  );
}
