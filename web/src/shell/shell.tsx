import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, Outlet, useNavigate, useRouterState } from '@tanstack/react-router';
import { BookOpen, Bot, Code, FolderClosed, LogOut, MessageSquare, Search, UserRound, UsersRound } from 'lucide-react';
import { lazy, Suspense, useCallback, useState } from 'react';
import { api } from '../api/client';
import { meQuery } from '../api/queries';
import { useKeys, useWide } from '../lib/hooks';
import { setTheme, type Theme, theme } from '../lib/theme';
import { t } from '../strings';
import { IconButton } from '../ui/button';
import { cx } from '../ui/cx';
import { Bell } from './bell';
import { Menu, MenuChoice, MenuItem, MenuLabel, MenuLine } from '../ui/menu';

const Palette = lazy(() => import('./palette'));

const places = [
  { to: '/chat', label: t.nav.chat, icon: MessageSquare },
  { to: '/agents', label: t.nav.agents, icon: Bot },
  { to: '/knowledge', label: t.nav.knowledge, icon: BookOpen },
] as const;
const developer = { to: '/developer/keys', label: t.nav.developer, icon: Code } as const;

/** One view leads to all about people and places; who is no administrator has only the places. */
const administration = /^\/(admin|teams|projects)(\/|$)/;

const item =
  'flex min-w-14 flex-col items-center gap-0.5 rounded-md px-1 py-1.5 text-[0.6875rem]/4 text-muted transition-colors hover:bg-hover hover:text-text data-[status=active]:bg-hover data-[status=active]:font-medium data-[status=active]:text-text lg:w-full lg:min-w-0 lg:py-2';

/** Ctrl on most machines, Command on Apple's. */
const mod = /Mac|iPhone|iPad/.test(navigator.platform) ? '⌘' : 'Ctrl ';

/** The frame around every view: the rail, and below it on phones a bar. */
export function Shell() {
  const [searching, setSearching] = useState(false);
  useKeys(
    useCallback((e) => {
      if ((e.ctrlKey || e.metaKey) && !e.shiftKey && !e.altKey && e.key.toLowerCase() === 'k') {
        e.preventDefault();
        setSearching((s) => !s);
      }
    }, []),
  );
  return (
    <div className="flex h-dvh flex-col-reverse lg:flex-row">
      <a
        href="#content"
        className="fixed start-2 top-2 z-50 -translate-y-16 rounded-md bg-accent px-3 py-2 text-on-accent focus:translate-y-0"
      >
        {t.nav.skip}
      </a>
      <nav
        aria-label={t.nav.main}
        className="flex shrink-0 items-center justify-around border-t border-line bg-sunken px-1 pb-[env(safe-area-inset-bottom)] lg:w-[4.75rem] lg:flex-col lg:justify-start lg:gap-1 lg:border-e lg:border-t-0 lg:px-2 lg:py-3"
      >
        <Link to="/chat" aria-label={t.app} className="mb-3 hidden rounded-md lg:block" tabIndex={-1} aria-hidden>
          <img src="/favicon.svg" alt="" className="size-8" />
        </Link>
        {places.map(({ to, label, icon: Icon }) => (
          <Link key={to} to={to} activeOptions={{ exact: false }} className={item}>
            <Icon className="size-5" aria-hidden />
            {label}
          </Link>
        ))}
        <Administration />
        {/* A phone's bar has no room for it: it stands in the menu of the profile. */}
        <Link to={developer.to} activeOptions={{ exact: false }} className={cx(item, 'max-lg:hidden')}>
          <developer.icon className="size-5" aria-hidden />
          {developer.label}
        </Link>
        <div className="flex items-center gap-1 lg:mt-auto lg:flex-col lg:gap-2">
          <IconButton
            label={`${t.nav.search} (${mod}K)`}
            side="right"
            className="size-10 [&_svg]:size-5"
            onClick={() => setSearching(true)}
          >
            <Search />
          </IconButton>
          <Bell />
          <Profile />
        </div>
      </nav>
      <div id="content" tabIndex={-1} className="flex min-h-0 min-w-0 grow flex-col focus:outline-none">
        <Outlet />
      </div>
      <Suspense>{searching && <Palette onClose={() => setSearching(false)} />}</Suspense>
    </div>
  );
}

function Administration() {
  const { data: me } = useQuery(meQuery);
  const here = useRouterState({ select: (s) => administration.test(s.location.pathname) });
  const admin = me?.is_staff === true;
  const Icon = admin ? UsersRound : FolderClosed;
  return (
    <Link to={admin ? '/admin/people' : '/projects'} className={item} activeProps={{}} {...(here ? { 'data-status': 'active' } : {})}>
      <Icon className="size-5" aria-hidden />
      {admin ? t.nav.admin : t.nav.projects}
    </Link>
  );
}

function Profile() {
  const { data: me } = useQuery(meQuery);
  const queryClient = useQueryClient();
  const navigate = useNavigate();
  const wide = useWide();
  const [choice, setChoice] = useState<Theme>(theme);
  const signOut = async () => {
    await api.POST('/auth-service/api/v2/logout').catch(() => undefined);
    queryClient.clear();
    await navigate({ to: '/sign-in' });
  };
  const name = me?.full_name || me?.email || '';
  return (
    <Menu
      align="end"
      trigger={
        <button
          type="button"
          aria-label={t.auth.profile}
          className={cx(
            'flex size-8 items-center justify-center rounded-full bg-accent-soft text-xs font-semibold text-accent uppercase',
          )}
        >
          {name.slice(0, 2)}
        </button>
      }
    >
      <div className="max-w-64 px-2 py-1.5">
        <p className="truncate font-medium">{name}</p>
        {name !== me?.email && <p className="truncate text-xs text-muted">{me?.email}</p>}
        <p className="truncate text-xs text-muted">{me?.organization?.org_name}</p>
      </div>
      <MenuLine />
      <MenuItem onSelect={() => void navigate({ to: '/profile' })}>
        <UserRound aria-hidden />
        {t.auth.profile}
      </MenuItem>
      {!wide && (
        <MenuItem onSelect={() => void navigate({ to: developer.to })}>
          <developer.icon aria-hidden />
          {developer.label}
        </MenuItem>
      )}
      <MenuLine />
      <MenuLabel>{t.theme.label}</MenuLabel>
      <MenuChoice<Theme>
        value={choice}
        options={[
          ['light', t.theme.light],
          ['dark', t.theme.dark],
          ['system', t.theme.system],
        ]}
        onChange={(v) => {
          setChoice(v);
          setTheme(v);
        }}
      />
      <MenuLine />
      <MenuItem onSelect={() => void signOut()}>
        <LogOut aria-hidden />
        {t.auth.signOut}
      </MenuItem>
    </Menu>
  );
}
