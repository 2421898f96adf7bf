import { queryOptions } from '@tanstack/react-query';
import type { Choice } from '../ui/picker';
import { type Part, partSize } from '../ui/listing';
import { api, take } from './client';
import type { Permission, PermissionSet, Project, Session, Team, User } from './types';

const most = 200; // the largest page that the server gives
const offered = 12; // of those that a search finds to pick from

/** The keys of what is about people, places and permission. */
export const at = {
  people: ['people'] as const,
  person: (id: number) => ['people', id] as const,
  personPermissions: (id: number) => ['people', id, 'permissions'] as const,
  personProjects: (id: number) => ['people', id, 'projects'] as const,
  rights: (id: number) => ['people', id, 'rights'] as const,
  sessions: ['sessions'] as const,
  teams: ['teams'] as const,
  team: (id: number) => ['teams', id] as const,
  teamUsers: (id: number) => ['teams', id, 'users'] as const,
  teamProjects: (id: number) => ['teams', id, 'projects'] as const,
  projects: ['projects'] as const,
  project: (id: number) => ['projects', id] as const,
  projectUsers: (id: number) => ['projects', id, 'users'] as const,
  sets: ['permission-sets'] as const,
  flags: ['flags'] as const,
  models: ['models'] as const,
  deployment: ['models', 'deployment'] as const,
  audit: ['audit'] as const,
};

/** What a person is called: their name, else their address. */
export const nameOf = (u: { full_name?: string; first_name?: string; last_name?: string; email: string }): string =>
  (u.full_name ?? `${u.first_name ?? ''} ${u.last_name ?? ''}`).trim() || u.email;

export const isAdmin = (u: { role?: string } | undefined): boolean => u?.role === 'Global Admin' || u?.role === 'Application Admin';
export const isGlobalAdmin = (u: { role?: string } | undefined): boolean => u?.role === 'Global Admin';

export interface PeopleFilter {
  search: string;
  role: string;
  active: string;
}

export async function loadPeople(f: PeopleFilter, page: number, signal: AbortSignal): Promise<Part<User>> {
  const { users, pagination } = await take(
    api.GET('/api/v2/users', {
      signal,
      params: {
        query: {
          page,
          page_size: partSize,
          search: f.search || undefined,
          role: (f.role || undefined) as 'User' | undefined,
          is_active: (f.active || undefined) as 'true' | undefined,
        },
      },
    }),
  );
  return { rows: users, pagination };
}

export const personQuery = (id: number) =>
  queryOptions({
    queryKey: at.person(id),
    queryFn: ({ signal }) => take(api.GET('/api/v2/users/{user_id}', { signal, params: { path: { user_id: id } } })),
  });

export const permissionsQuery = (id: number) =>
  queryOptions({
    queryKey: at.personPermissions(id),
    queryFn: async ({ signal }): Promise<Permission[]> =>
      (
        await take(
          api.GET('/api/v2/users/{user_id}/permissions', {
            signal,
            params: { path: { user_id: id }, query: { page_size: most } },
          }),
        )
      ).permissions ?? [],
  });

export const rightsQuery = (id: number) =>
  queryOptions({
    queryKey: at.rights(id),
    queryFn: ({ signal }) => take(api.GET('/api/v2/users/{user_id}/rights', { signal, params: { path: { user_id: id } } })),
  });

export const personProjectsQuery = (id: number) =>
  queryOptions({
    queryKey: at.personProjects(id),
    queryFn: async ({ signal }): Promise<Project[]> =>
      (
        await take(
          api.GET('/api/v2/users/{user_id}/projects', {
            signal,
            params: { path: { user_id: id }, query: { page_size: most } },
          }),
        )
      ).projects ?? [],
  });

export const sessionsQuery = queryOptions({
  queryKey: at.sessions,
  queryFn: async ({ signal }): Promise<Session[]> =>
    (await take(api.GET('/api/v2/users/me/sessions', { signal, params: { query: { page_size: most } } }))).sessions ?? [],
});

export const teamQuery = (id: number) =>
  queryOptions({
    queryKey: at.team(id),
    queryFn: ({ signal }) => take(api.GET('/api/v2/teams/{team_id}', { signal, params: { path: { team_id: id } } })),
  });

export const projectQuery = (id: number) =>
  queryOptions({
    queryKey: at.project(id),
    queryFn: ({ signal }) => take(api.GET('/api/v2/projects/{project_id}', { signal, params: { path: { project_id: id } } })),
  });

export const allTeamsQuery = queryOptions({
  queryKey: [...at.teams, 'all'],
  queryFn: async ({ signal }): Promise<Team[]> =>
    (await take(api.GET('/api/v2/teams', { signal, params: { query: { page_size: most } } }))).teams ?? [],
});

export const allProjectsQuery = queryOptions({
  queryKey: [...at.projects, 'all'],
  queryFn: async ({ signal }): Promise<Project[]> =>
    (await take(api.GET('/api/v2/projects', { signal, params: { query: { page_size: most } } }))).projects ?? [],
});

export const setsQuery = queryOptions({
  queryKey: at.sets,
  queryFn: async ({ signal }): Promise<PermissionSet[]> =>
    (await take(api.GET('/api/v2/permission-sets', { signal, params: { query: { page_size: most } } }))).permission_sets ?? [],
});

/** People to pick from. */
export async function pickPeople(search: string, signal: AbortSignal): Promise<Choice[]> {
  const { users } = await take(
    api.GET('/api/v2/users', { signal, params: { query: { page_size: offered, search: search || undefined, is_active: 'true' } } }),
  );
  return (users ?? []).map((u) => ({ id: u.id, label: nameOf(u), note: nameOf(u) === u.email ? undefined : u.email }));
}

/** Teams to pick from. */
export async function pickTeams(search: string, signal: AbortSignal): Promise<Choice[]> {
  const { teams } = await take(
    api.GET('/api/v2/teams', { signal, params: { query: { page_size: offered, search: search || undefined } } }),
  );
  return (teams ?? []).map((x) => ({ id: x.id, label: x.name }));
}
