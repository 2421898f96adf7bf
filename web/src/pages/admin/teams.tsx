import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { Plus, UsersRound } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { api, take } from '../../api/client';
import { fieldProblem } from '../../api/error';
import { at, isAdmin } from '../../api/people';
import { meQuery } from '../../api/queries';
import type { Team } from '../../api/types';
import { count } from '../../lib/format';
import { usePaused, useTitle } from '../../lib/hooks';
import { t } from '../../strings';
import { p } from '../../strings.people';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { Field, Input, SearchInput, Textarea } from '../../ui/field';
import { Listing, partSize, useListing } from '../../ui/listing';
import { Page } from '../../ui/page';
import { ErrorLine } from '../../ui/state';
import { Td, wideOnly } from '../../ui/table';

/** The teams that the person sees. */
export function TeamsPage() {
  useTitle(p.teams.title);
  const { data: me } = useQuery(meQuery);
  const [search, setSearch] = useState('');
  const [creating, setCreating] = useState(false);
  const word = usePaused(search.trim());
  const list = useListing([...at.teams, 'list', word], async (page, signal) => {
    const { teams, pagination } = await take(
      api.GET('/api/v2/teams', { signal, params: { query: { page, page_size: partSize, search: word || undefined } } }),
    );
    return { rows: teams, pagination };
  });
  const create = isAdmin(me) && (
    <Button look="primary" onClick={() => setCreating(true)}>
      <Plus className="size-4" aria-hidden />
      {p.teams.create}
    </Button>
  );
  return (
    <Page title={p.teams.title} actions={create}>
      <Listing
        list={list}
        id={(x) => x.id}
        narrowed={word !== ''}
        noMatch={p.teams.noMatch}
        empty={{ icon: <UsersRound aria-hidden />, title: p.teams.empty, text: isAdmin(me) ? p.teams.emptyText : p.teams.emptyMine, action: create }}
        columns={[
          { label: t.common.name },
          { label: p.teams.members, end: true },
          { label: p.teams.projects, end: true, wide: true },
          { label: p.members.yourRole, wide: true },
        ]}
        filters={<SearchInput label={p.teams.search} value={search} onChange={(e) => setSearch(e.target.value)} className="w-64 max-sm:w-full" />}
        row={(x) => (
          <tr className="hover:bg-sunken">
            <Td className="w-full max-w-0 min-w-40">
              <Link to="/teams/$teamId" params={{ teamId: String(x.id) }} className="block truncate font-medium hover:underline">
                <bdi>{x.name}</bdi>
              </Link>
              {x.description && <p className="truncate text-xs text-muted">{x.description}</p>}
            </Td>
            <Td className="text-end">{count(x.members_count)}</Td>
            <Td className={`text-end ${wideOnly}`}>{count(x.projects_count)}</Td>
            <Td className={`whitespace-nowrap text-muted ${wideOnly}`}>{x.role ? p.members.roles[x.role] : '–'}</Td>
          </tr>
        )}
      />
      {creating && <TeamForm team={undefined} onClose={() => setCreating(false)} />}
    </Page>
  );
}

/** Makes a team, or changes the name and description of one. */
export function TeamForm({ team, onClose }: { team: Team | undefined; onClose: () => void }) {
  const queryClient = useQueryClient();
  const navigate = useNavigate();
  const [name, setName] = useState(team?.name ?? '');
  const [description, setDescription] = useState(team?.description ?? '');
  const save = useMutation({
    mutationFn: () => {
      const body = { name: name.trim(), description: description.trim() };
      if (team) return take(api.PUT('/api/v2/teams/{team_id}', { params: { path: { team_id: team.id } }, body }));
      return take(api.POST('/api/v2/teams', { body }));
    },
    meta: { ownError: true },
    onSuccess: async (saved) => {
      await queryClient.invalidateQueries({ queryKey: at.teams });
      onClose();
      if (!team) await navigate({ to: '/teams/$teamId', params: { teamId: String(saved.id) } });
    },
  });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (name.trim()) save.mutate();
  };
  return (
    <Dialog open onClose={onClose} title={team ? p.teams.editTitle : p.teams.createTitle} hint={team ? undefined : p.teams.createText}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label={t.common.name} problem={fieldProblem(save.error, 'name')}>
          {(f) => <Input {...f} autoFocus required maxLength={200} value={name} onChange={(e) => setName(e.target.value)} />}
        </Field>
        <Field label={t.common.description} optional problem={fieldProblem(save.error, 'description')}>
          {(f) => <Textarea {...f} rows={3} value={description} onChange={(e) => setDescription(e.target.value)} />}
        </Field>
        {save.error && <ErrorLine error={save.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t.common.cancel}</Button>
          <Button type="submit" look="primary" disabled={!name.trim() || save.isPending}>
            {team ? t.common.save : t.common.create}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
