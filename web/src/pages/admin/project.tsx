import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { Pencil, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { api, take } from '../../api/client';
import { at, isGlobalAdmin, projectQuery } from '../../api/people';
import { meQuery } from '../../api/queries';
import type { Project } from '../../api/types';
import { useTitle } from '../../lib/hooks';
import { t } from '../../strings';
import { p } from '../../strings.people';
import { Button, IconButton } from '../../ui/button';
import { Confirm } from '../../ui/dialog';
import { partSize, useListing } from '../../ui/listing';
import { Back, Page, Section } from '../../ui/page';
import { ErrorState, Skeleton } from '../../ui/state';
import { PlaceMembers } from './members';
import { ProjectForm } from './projects';

/** One project: its people and its teams. */
export function ProjectPage() {
  const { projectId } = useParams({ from: '/app/places/projects/$projectId' });
  return <Loaded key={projectId} id={Number(projectId)} />;
}

function Loaded({ id }: { id: number }) {
  const project = useQuery(projectQuery(id));
  useTitle(project.data?.name);
  if (project.data) return <One project={project.data} />;
  return (
    <Page slim title={p.projects.one} before={<Back to="/projects" label={p.projects.title} />}>
      {project.error ? <ErrorState error={project.error} retry={() => void project.refetch()} /> : <Skeleton />}
    </Page>
  );
}

function One({ project }: { project: Project }) {
  const queryClient = useQueryClient();
  const navigate = useNavigate();
  const { data: me } = useQuery(meQuery);
  const [open, setOpen] = useState<'edit' | 'delete'>();
  const mayManage = isGlobalAdmin(me) || project.role === 'Owner' || project.role === 'Admin';
  const path = { project_id: project.id };
  const users = useListing(at.projectUsers(project.id), async (page, signal) => {
    const { users: rows, pagination } = await take(
      api.GET('/api/v2/projects/{project_id}/users', { signal, params: { path, query: { page, page_size: partSize } } }),
    );
    return { rows, pagination };
  });
  const again = () => queryClient.invalidateQueries({ queryKey: at.projects });
  const gone = async () => {
    await navigate({ to: '/projects' });
    queryClient.removeQueries({ queryKey: at.project(project.id) });
    await again();
  };
  return (
    <Page
      slim
      title={<bdi>{project.name}</bdi>}
      before={<Back to="/projects" label={p.projects.title} />}
      actions={
        mayManage && (
          <>
            <IconButton label={t.common.edit} onClick={() => setOpen('edit')}>
              <Pencil />
            </IconButton>
            {!project.is_default && (
              <IconButton label={p.projects.deleteDo} onClick={() => setOpen('delete')}>
                <Trash2 />
              </IconButton>
            )}
          </>
        )
      }
    >
      {project.description && <p className="mb-6 max-w-prose text-muted">{project.description}</p>}
      <PlaceMembers
        users={users}
        of={project.name}
        hint={project.is_default ? p.projects.defaultHint : p.projects.membersHint}
        none={p.projects.noMembers}
        mayManage={mayManage}
        onAdd={(user_ids, role) => api.POST('/api/v2/projects/{project_id}/users', { params: { path }, body: { user_ids, role } })}
        onRole={(user_id, role) =>
          api.PUT('/api/v2/projects/{project_id}/users/{user_id}/role', { params: { path: { ...path, user_id } }, body: { role } })
        }
        onRemove={(user_id) => api.DELETE('/api/v2/projects/{project_id}/users/{user_id}', { params: { path: { ...path, user_id } } })}
        again={again}
        gone={gone}
      />
      <Section
        title={p.projects.teams}
        hint={p.projects.teamsHint}
        actions={
          mayManage && (
            <Button small onClick={() => setOpen('edit')}>
              {p.projects.teamsChange}
            </Button>
          )
        }
      >
        {(project.teams ?? []).length === 0 && <p className="text-muted">{p.projects.noTeams}</p>}
        {(project.teams ?? []).length > 0 && (
          <ul className="divide-y divide-line rounded-md border border-line">
            {project.teams?.map((x) => (
              <li key={x.id} className="flex min-h-10 items-center px-3 py-1.5">
                <Link to="/teams/$teamId" params={{ teamId: String(x.id) }} className="min-w-0 truncate hover:underline">
                  <bdi>{x.name}</bdi>
                </Link>
              </li>
            ))}
          </ul>
        )}
      </Section>
      {open === 'edit' && <ProjectForm project={project} onClose={() => setOpen(undefined)} />}
      {open === 'delete' && (
        <Confirm
          open
          onClose={() => setOpen(undefined)}
          title={p.projects.deleteTitle(project.name)}
          text={p.projects.deleteText(project.agents_count)}
          verb={p.projects.deleteDo}
          act={async () => {
            await api.DELETE('/api/v2/projects/{project_id}', { params: { path } });
            await gone();
          }}
        />
      )}
    </Page>
  );
}
