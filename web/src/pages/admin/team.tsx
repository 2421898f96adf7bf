import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { Pencil, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { api, take } from '../../api/client';
import { at, isGlobalAdmin, teamQuery } from '../../api/people';
import { meQuery } from '../../api/queries';
import type { Team } from '../../api/types';
import { useTitle } from '../../lib/hooks';
import { t } from '../../strings';
import { p } from '../../strings.people';
import { Button, IconButton } from '../../ui/button';
import { Confirm } from '../../ui/dialog';
import { partSize, useListing } from '../../ui/listing';
import { Back, Page, Section } from '../../ui/page';
import { ErrorLine, ErrorState, Skeleton } from '../../ui/state';
import { AddMembers, Members } from './members';
import { TeamForm } from './teams';

export const placeRoles = ['Admin', 'Member'] as const;

/** One team: its people and its projects. */
export function TeamPage() {
  const { teamId } = useParams({ from: '/app/places/teams/$teamId' });
  return <Loaded key={teamId} id={Number(teamId)} />;
}

function Loaded({ id }: { id: number }) {
  const team = useQuery(teamQuery(id));
  const before = <Back to="/teams" label={p.teams.title} />;
  useTitle(team.data?.name);
  if (team.data) return <One team={team.data} />;
  return (
    <Page slim title={p.teams.one} before={before}>
      {team.error ? <ErrorState error={team.error} retry={() => void team.refetch()} /> : <Skeleton />}
    </Page>
  );
}

function One({ team }: { team: Team }) {
  const queryClient = useQueryClient();
  const navigate = useNavigate();
  const { data: me } = useQuery(meQuery);
  const [open, setOpen] = useState<'edit' | 'delete'>();
  const mayManage = isGlobalAdmin(me) || team.role === 'Owner' || team.role === 'Admin';
  const path = { team_id: team.id };
  const users = useListing(at.teamUsers(team.id), async (page, signal) => {
    const { users: rows, pagination } = await take(
      api.GET('/api/v2/teams/{team_id}/users', { signal, params: { path, query: { page, page_size: partSize } } }),
    );
    return { rows, pagination };
  });
  const projects = useListing(at.teamProjects(team.id), async (page, signal) => {
    const { projects: rows, pagination } = await take(
      api.GET('/api/v2/teams/{team_id}/projects', { signal, params: { path, query: { page, page_size: partSize } } }),
    );
    return { rows, pagination };
  });
  const members = users.data?.pages.flatMap((x) => x.rows ?? []) ?? [];
  const again = () => queryClient.invalidateQueries({ queryKey: at.teams });
  const gone = async () => {
    await navigate({ to: '/teams' });
    queryClient.removeQueries({ queryKey: at.team(team.id) });
    await again();
  };
  return (
    <Page
      slim
      title={<bdi>{team.name}</bdi>}
      before={<Back to="/teams" label={p.teams.title} />}
      actions={
        mayManage && (
          <>
            <IconButton label={t.common.edit} onClick={() => setOpen('edit')}>
              <Pencil />
            </IconButton>
            <IconButton label={p.teams.deleteDo} onClick={() => setOpen('delete')}>
              <Trash2 />
            </IconButton>
          </>
        )
      }
    >
      {team.description && <p className="mb-6 max-w-prose text-muted">{team.description}</p>}
      <Section
        title={p.teams.members}
        hint={p.teams.membersHint}
        actions={
          mayManage && (
            <AddMembers
              roles={placeRoles}
              without={members.map((m) => m.user.id)}
              onAdd={async (user_ids, role) => {
                await api.POST('/api/v2/teams/{team_id}/users', { params: { path }, body: { user_ids, role: role as 'Member' } });
                await again();
              }}
            />
          )
        }
      >
        {users.isPending && <Skeleton rows={3} />}
        {users.error && <ErrorLine error={users.error} />}
        {members.length > 0 && (
          <Members
            members={members}
            roles={placeRoles}
            mayManage={mayManage}
            me={me?.id}
            of={team.name}
            onRole={async (user_id, role) => {
              await api.PUT('/api/v2/teams/{team_id}/users/{user_id}/role', {
                params: { path: { ...path, user_id } },
                body: { role: role as 'Member' },
              });
              await again();
            }}
            onRemove={async (user_id) => {
              await api.DELETE('/api/v2/teams/{team_id}/users/{user_id}', { params: { path: { ...path, user_id } } });
              if (user_id === me?.id && !isGlobalAdmin(me)) await gone();
              else await again();
            }}
          />
        )}
        {users.hasNextPage && (
          <Button className="self-center" onClick={() => void users.fetchNextPage()}>
            {t.common.loadMore}
          </Button>
        )}
      </Section>
      <Section title={p.teams.projects} hint={p.teams.projectsHint}>
        {projects.isPending && <Skeleton rows={2} />}
        {projects.error && <ErrorLine error={projects.error} />}
        {projects.data?.pages[0]?.pagination?.total === 0 && <p className="text-muted">{p.teams.noProjects}</p>}
        {(projects.data?.pages[0]?.rows?.length ?? 0) > 0 && (
          <ul className="divide-y divide-line rounded-md border border-line">
            {projects.data?.pages
              .flatMap((x) => x.rows ?? [])
              .map((x) => (
                <li key={x.id} className="flex min-h-10 items-center px-3 py-1.5">
                  <Link to="/projects/$projectId" params={{ projectId: String(x.id) }} className="min-w-0 truncate hover:underline">
                    <bdi>{x.name}</bdi>
                  </Link>
                </li>
              ))}
          </ul>
        )}
        {projects.hasNextPage && (
          <Button className="self-center" onClick={() => void projects.fetchNextPage()}>
            {t.common.loadMore}
          </Button>
        )}
      </Section>
      {open === 'edit' && <TeamForm team={team} onClose={() => setOpen(undefined)} />}
      {open === 'delete' && (
        <Confirm
          open
          onClose={() => setOpen(undefined)}
          title={p.teams.deleteTitle(team.name)}
          text={p.teams.deleteText(team.members_count)}
          verb={p.teams.deleteDo}
          act={async () => {
            await api.DELETE('/api/v2/teams/{team_id}', { params: { path } });
            await gone();
          }}
        />
      )}
    </Page>
  );
}
