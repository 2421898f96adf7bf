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

const login = createRoute({
  getParentRoute: () => root,
  path: '/login',
  validateSearch: (s): { next?: string; ended?: boolean } => ({
    next: safeNext(s.next),
    ended: s.ended === true || s.ended === 'true' ? true : undefined,
  }),
  component: lazyRouteComponent(() => import('./pages/auth/login'), 'Login'),
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
        throw redirect({ to: '/login', search: { next }, replace: true });
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

const tree = root.addChildren([
  login,
  setup,
  app.addChildren([home, chat.addChildren([chatAgent, chatThread]), knowledge, corpus, agents, agent, developer, apiKeys]),
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
