import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { FolderClosed, Plus } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { api, take } from '../../api/client';
import { fieldProblem } from '../../api/error';
import { at, isAdmin, pickTeams } from '../../api/people';
import { meQuery } from '../../api/queries';
import type { Project } from '../../api/types';
import { count } from '../../lib/format';
import { usePaused, useTitle } from '../../lib/hooks';
import { t } from '../../strings';
import { p } from '../../strings.people';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { Field, Input, SearchInput, Textarea } from '../../ui/field';
import { Listing, partSize, useListing } from '../../ui/listing';
import { Page } from '../../ui/page';
import { type Choice, Picker } from '../../ui/picker';
import { Badge, ErrorLine } from '../../ui/state';
import { Td, wideOnly } from '../../ui/table';

/** The projects that the person sees. */
export function ProjectsPage() {
  useTitle(p.projects.title);
  const { data: me } = useQuery(meQuery);
  const [search, setSearch] = useState('');
  const [creating, setCreating] = useState(false);
  const word = usePaused(search.trim());
  const list = useListing([...at.projects, 'list', word], async (page, signal) => {
    const { projects, pagination } = await take(
      api.GET('/api/v2/projects', { signal, params: { query: { page, page_size: partSize, search: word || undefined } } }),
    );
    return { rows: projects, pagination };
  });
  const create = isAdmin(me) && (
    <Button look="primary" onClick={() => setCreating(true)}>
      <Plus className="size-4" aria-hidden />
      {p.projects.create}
    </Button>
  );
  return (
    <Page title={p.projects.title} actions={create}>
      <Listing
        list={list}
        id={(x) => x.id}
        narrowed={word !== ''}
        noMatch={p.projects.noMatch}
        empty={{
          icon: <FolderClosed aria-hidden />,
          title: p.projects.empty,
          text: isAdmin(me) ? p.projects.emptyText : p.projects.emptyMine,
          action: create,
        }}
        columns={[
          { label: t.common.name },
          { label: p.projects.teams, wide: true },
          { label: p.projects.agents, end: true },
          { label: p.teams.members, end: true, wide: true },
          { label: p.members.yourRole, wide: true },
        ]}
        filters={
          <SearchInput label={p.projects.search} value={search} onChange={(e) => setSearch(e.target.value)} className="w-64 max-sm:w-full" />
        }
        row={(x) => (
          <tr className="hover:bg-sunken">
            <Td className="w-full max-w-0 min-w-40">
              <div className="flex items-center gap-2">
                <Link to="/projects/$projectId" params={{ projectId: String(x.id) }} className="truncate font-medium hover:underline">
                  <bdi>{x.name}</bdi>
                </Link>
                {x.is_default && <Badge>{p.projects.default}</Badge>}
              </div>
              {x.description && <p className="truncate text-xs text-muted">{x.description}</p>}
            </Td>
            <Td className={`max-w-40 truncate text-muted ${wideOnly}`}>{(x.teams ?? []).map((y) => y.name).join(', ')}</Td>
            <Td className="text-end">{count(x.agents_count)}</Td>
            <Td className={`text-end ${wideOnly}`}>{count(x.members_count)}</Td>
            <Td className={`whitespace-nowrap text-muted ${wideOnly}`}>{x.role ? p.members.roles[x.role] : '–'}</Td>
          </tr>
        )}
      />
      {creating && <ProjectForm project={undefined} onClose={() => setCreating(false)} />}
    </Page>
  );
}

/** Makes a project, or changes its name, description and teams. */
export function ProjectForm({ project, onClose }: { project: Project | undefined; onClose: () => void }) {
  const queryClient = useQueryClient();
  const navigate = useNavigate();
  const [name, setName] = useState(project?.name ?? '');
  const [description, setDescription] = useState(project?.description ?? '');
  const [teams, setTeams] = useState<Choice[]>(() => (project?.teams ?? []).map((x) => ({ id: x.id, label: x.name })));
  const save = useMutation({
    mutationFn: () => {
      const team_ids = teams.map((x) => x.id);
      // Sent only when changed: the person may not see, or not manage, all teams of the project.
      const same = team_ids.join() === (project?.teams ?? []).map((x) => x.id).join();
      const body = { name: name.trim(), description: description.trim(), ...(same ? {} : { team_ids }) };
      if (project) return take(api.PUT('/api/v2/projects/{project_id}', { params: { path: { project_id: project.id } }, body }));
      return take(api.POST('/api/v2/projects', { body }));
    },
    meta: { ownError: true },
    onSuccess: async (saved) => {
      await queryClient.invalidateQueries({ queryKey: at.projects });
      onClose();
      if (!project) await navigate({ to: '/projects/$projectId', params: { projectId: String(saved.id) } });
    },
  });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (name.trim()) save.mutate();
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={project ? p.projects.editTitle : p.projects.createTitle}
      hint={project ? undefined : p.projects.createText}
    >
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label={t.common.name} problem={fieldProblem(save.error, 'name')}>
          {(f) => <Input {...f} autoFocus required maxLength={200} value={name} onChange={(e) => setName(e.target.value)} />}
        </Field>
        <Field label={t.common.description} optional problem={fieldProblem(save.error, 'description')}>
          {(f) => <Textarea {...f} rows={2} value={description} onChange={(e) => setDescription(e.target.value)} />}
        </Field>
        <Picker label={p.projects.teams} name="teams" load={pickTeams} chosen={teams} onChange={setTeams} />
        {save.error && <ErrorLine error={save.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t.common.cancel}</Button>
          <Button type="submit" look="primary" disabled={!name.trim() || save.isPending}>
            {project ? t.common.save : t.common.create}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
