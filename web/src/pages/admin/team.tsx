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
import { IconButton } from '../../ui/button';
import { Confirm } from '../../ui/dialog';
import { partSize, ShortList, useListing } from '../../ui/listing';
import { Back, Page, Section } from '../../ui/page';
import { ErrorState, Skeleton } from '../../ui/state';
import { PlaceMembers } from './members';
import { TeamForm } from './teams';

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
      <PlaceMembers
        users={users}
        of={team.name}
        hint={p.teams.membersHint}
        mayManage={mayManage}
        onAdd={(user_ids, role) => api.POST('/api/v2/teams/{team_id}/users', { params: { path }, body: { user_ids, role } })}
        onRole={(user_id, role) =>
          api.PUT('/api/v2/teams/{team_id}/users/{user_id}/role', { params: { path: { ...path, user_id } }, body: { role } })
        }
        onRemove={(user_id) => api.DELETE('/api/v2/teams/{team_id}/users/{user_id}', { params: { path: { ...path, user_id } } })}
        again={again}
        gone={gone}
      />
      <Section title={p.teams.projects} hint={p.teams.projectsHint}>
        <ShortList list={projects} none={p.teams.noProjects}>
          {(rows) => (
            <ul className="divide-y divide-line rounded-md border border-line">
              {rows.map((x) => (
                <li key={x.id} className="flex min-h-10 items-center px-3 py-1.5">
                  <Link to="/projects/$projectId" params={{ projectId: String(x.id) }} className="min-w-0 truncate hover:underline">
                    <bdi>{x.name}</bdi>
                  </Link>
                </li>
              ))}
            </ul>
          )}
        </ShortList>
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
