import type { QueryClient } from '@tanstack/react-query';
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from '@tanstack/react-router';
import { ApiError } from './api/error';
import { meQuery } from './api/queries';
import { NotFound, Crash } from './shell/problems';
import { Shell } from './shell/shell';
import { Toasts } from './ui/toast';

interface Context {
  queryClient: QueryClient;
}

const text = (v: unknown): string | undefined => (typeof v === 'string' && v ? v : typeof v === 'number' ? String(v) : undefined);
const whole = (v: unknown): number | undefined => {
  const n = Number(v);
  return v !== undefined && Number.isInteger(n) && n > 0 ? n : undefined;
};

const flag = (v: unknown): boolean | undefined => (v === true || v === 'true' ? true : undefined);

/** Only addresses of this console are returned to after signing in. */
function safeNext(v: unknown): string | undefined {
  return typeof v === 'string' && /^\/(?![/\\])/.test(v) ? v : undefined;
}

const root = createRootRouteWithContext<Context>()({
  component: () => (
    <>
      <Outlet />
      <Toasts />
    </>
  ),
  notFoundComponent: NotFound,
});

const signIn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  validateSearch: (s): { next?: string; ended?: boolean; error?: string; changed?: boolean } => ({
    next: safeNext(s.next),
    ended: flag(s.ended),
    error: text(s.error),
    changed: flag(s.changed),
  }),
  component: lazyRouteComponent(() => import('./pages/auth/login'), 'Login'),
});

// Where the links of mails lead.
const mailed = (s: Record<string, unknown>): { token?: string; next?: string } => ({ token: text(s.token), next: safeNext(s.next) });
const magicLink = createRoute({
  getParentRoute: () => root,
  path: '/sign-in/link',
  validateSearch: mailed,
  component: lazyRouteComponent(() => import('./pages/auth/mailed'), 'MagicLink'),
});
const forgot = createRoute({
  getParentRoute: () => root,
  path: '/sign-in/forgot',
  component: lazyRouteComponent(() => import('./pages/auth/mailed'), 'Forgot'),
});
const reset = createRoute({
  getParentRoute: () => root,
  path: '/sign-in/reset',
  validateSearch: mailed,
  component: lazyRouteComponent(() => import('./pages/auth/mailed'), 'Reset'),
});
const invitation = createRoute({
  getParentRoute: () => root,
  path: '/sign-in/invitation',
  validateSearch: mailed,
  component: lazyRouteComponent(() => import('./pages/auth/mailed'), 'Invitation'),
});
const verify = createRoute({
  getParentRoute: () => root,
  path: '/sign-in/verify',
  validateSearch: mailed,
  component: lazyRouteComponent(() => import('./pages/auth/mailed'), 'Verify'),
});

const setup = createRoute({
  getParentRoute: () => root,
  path: '/setup',
  validateSearch: (s): { token?: string } => ({ token: text(s.token) }),
  component: lazyRouteComponent(() => import('./pages/auth/setup'), 'Setup'),
});

const app = createRoute({
  getParentRoute: () => root,
  id: 'app',
  component: Shell,
  beforeLoad: async ({ context, location }) => {
    try {
      await context.queryClient.ensureQueryData(meQuery);
    } catch (e) {
      if (e instanceof ApiError && e.status === 401) {
        const next = location.href === '/' ? undefined : location.href;
        throw redirect({ to: '/sign-in', search: { next }, replace: true });
      }
      throw e;
    }
  },
});

const home = createRoute({
  getParentRoute: () => app,
  path: '/',
  beforeLoad: () => {
    throw redirect({ to: '/chat', replace: true });
  },
});

const chat = createRoute({
  getParentRoute: () => app,
  path: '/chat',
  validateSearch: (s): { cite?: string } => ({ cite: text(s.cite) }),
  component: lazyRouteComponent(() => import('./pages/chat/page'), 'ChatPage'),
});
// The page reads the ids itself: changing threads must not build it anew.
const chatAgent = createRoute({ getParentRoute: () => chat, path: '$agentId' });
const chatThread = createRoute({ getParentRoute: () => chat, path: '$agentId/$threadId' });

const knowledge = createRoute({
  getParentRoute: () => app,
  path: '/knowledge',
  component: lazyRouteComponent(() => import('./pages/knowledge/page'), 'KnowledgePage'),
});

const corpus = createRoute({
  getParentRoute: () => app,
  path: '/knowledge/$corpusId',
  validateSearch: (s): { doc?: number } => ({ doc: whole(s.doc) }),
  component: lazyRouteComponent(() => import('./pages/knowledge/corpus'), 'CorpusPage'),
});

const ids = (v: unknown): number[] | undefined => {
  const list = (Array.isArray(v) ? v : v === undefined ? [] : [v]).map(whole).filter((n) => n !== undefined);
  return list.length > 0 ? list : undefined;
};

const search = createRoute({
  getParentRoute: () => app,
  path: '/knowledge/search',
  validateSearch: (s): { q?: string; corpora?: number[]; tags?: string; side?: 'lexical' | 'vector'; limit?: number } => ({
    q: text(s.q),
    corpora: ids(s.corpora),
    tags: text(s.tags),
    side: s.side === 'lexical' || s.side === 'vector' ? s.side : undefined,
    limit: whole(s.limit),
  }),
  component: lazyRouteComponent(() => import('./pages/knowledge/search'), 'SearchPage'),
});

const agents = createRoute({
  getParentRoute: () => app,
  path: '/agents',
  validateSearch: (s): { q?: string } => ({ q: text(s.q) }),
  component: lazyRouteComponent(() => import('./pages/agents/page'), 'AgentsPage'),
});

const agent = createRoute({
  getParentRoute: () => app,
  path: '/agents/$agentId',
  component: lazyRouteComponent(() => import('./pages/agents/edit'), 'AgentPage'),
});

const developer = createRoute({
  getParentRoute: () => app,
  path: '/developer',
  beforeLoad: () => {
    throw redirect({ to: '/developer/keys', replace: true });
  },
});

const apiKeys = createRoute({
  getParentRoute: () => app,
  path: '/developer/keys',
  component: lazyRouteComponent(() => import('./pages/developer/keys'), 'KeysPage'),
});

const profile = createRoute({
  getParentRoute: () => app,
  path: '/profile',
  component: lazyRouteComponent(() => import('./pages/profile/page'), 'ProfilePage'),
});

// People, places and permission, in one frame.
const places = createRoute({
  getParentRoute: () => app,
  id: 'places',
  component: lazyRouteComponent(() => import('./pages/admin/section'), 'AdminSection'),
});

const teams = createRoute({
  getParentRoute: () => places,
  path: '/teams',
  component: lazyRouteComponent(() => import('./pages/admin/teams'), 'TeamsPage'),
});
const team = createRoute({
  getParentRoute: () => places,
  path: '/teams/$teamId',
  component: lazyRouteComponent(() => import('./pages/admin/team'), 'TeamPage'),
});
const projects = createRoute({
  getParentRoute: () => places,
  path: '/projects',
  component: lazyRouteComponent(() => import('./pages/admin/projects'), 'ProjectsPage'),
});
const project = createRoute({
  getParentRoute: () => places,
  path: '/projects/$projectId',
  component: lazyRouteComponent(() => import('./pages/admin/project'), 'ProjectPage'),
});

const admin = createRoute({
  getParentRoute: () => places,
  path: '/admin',
  component: lazyRouteComponent(() => import('./pages/admin/section'), 'AdminsOnly'),
});
const adminHome = createRoute({
  getParentRoute: () => admin,
  path: '/',
  beforeLoad: () => {
    throw redirect({ to: '/admin/people', replace: true });
  },
});
const people = createRoute({
  getParentRoute: () => admin,
  path: '/people',
  component: lazyRouteComponent(() => import('./pages/admin/people'), 'PeoplePage'),
});
const person = createRoute({
  getParentRoute: () => admin,
  path: '/people/$userId',
  component: lazyRouteComponent(() => import('./pages/admin/person'), 'PersonPage'),
});
const sets = createRoute({
  getParentRoute: () => admin,
  path: '/permission-sets',
  component: lazyRouteComponent(() => import('./pages/admin/sets'), 'SetsPage'),
});
const features = createRoute({
  getParentRoute: () => admin,
  path: '/features',
  component: lazyRouteComponent(() => import('./pages/admin/flags'), 'FlagsPage'),
});
const models = createRoute({
  getParentRoute: () => admin,
  path: '/models',
  component: lazyRouteComponent(() => import('./pages/admin/models'), 'ModelsPage'),
});
const auditLog = createRoute({
  getParentRoute: () => admin,
  path: '/audit',
  component: lazyRouteComponent(() => import('./pages/admin/audit'), 'AuditPage'),
});
const organization = createRoute({
  getParentRoute: () => admin,
  path: '/organization',
  component: lazyRouteComponent(() => import('./pages/admin/organization'), 'OrganizationPage'),
});

const tree = root.addChildren([
  signIn,
  magicLink,
  forgot,
  reset,
  invitation,
  verify,
  setup,
  app.addChildren([
    home,
    chat.addChildren([chatAgent, chatThread]),
    knowledge,
    corpus,
    search,
    agents,
    agent,
    developer,
    apiKeys,
    profile,
    places.addChildren([
      teams,
      team,
      projects,
      project,
      admin.addChildren([adminHome, people, person, sets, features, models, auditLog, organization]),
    ]),
  ]),
]);

/** The console's addresses. */
export function makeRouter(queryClient: QueryClient) {
  return createRouter({
    routeTree: tree,
    context: { queryClient },
    defaultPreload: 'intent',
    defaultPreloadStaleTime: 0,
    defaultErrorComponent: Crash,
    defaultNotFoundComponent: NotFound,
    scrollRestoration: true,
  });
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
