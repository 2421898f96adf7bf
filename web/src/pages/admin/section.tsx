import { useQuery } from '@tanstack/react-query';
import { Link, Outlet } from '@tanstack/react-router';
import { Lock } from 'lucide-react';
import { useEffect, useRef } from 'react';
import { isAdmin, isGlobalAdmin } from '../../api/people';
import { meQuery } from '../../api/queries';
import { p } from '../../strings.people';
import { EmptyState } from '../../ui/state';

const views = [
  { to: '/admin/people', label: p.nav.people, admin: true },
  { to: '/teams', label: p.nav.teams, admin: false },
  { to: '/projects', label: p.nav.projects, admin: false },
  { to: '/admin/permission-sets', label: p.nav.sets, admin: true },
  { to: '/admin/features', label: p.nav.flags, admin: true },
  { to: '/admin/models', label: p.nav.models, admin: true },
  { to: '/admin/audit', label: p.nav.audit, admin: true, global: true },
  { to: '/admin/organization', label: p.nav.organization, admin: true },
] as const;

/** The frame of the views about people and places: which of them there are. */
export function AdminSection() {
  const { data: me } = useQuery(meQuery);
  const strip = useRef<HTMLElement>(null);
  // On a phone the open view may stand outside of the strip.
  useEffect(() => strip.current?.querySelector('[aria-current=page]')?.scrollIntoView({ block: 'nearest', inline: 'center' }), []);
  return (
    <div className="flex min-h-0 grow flex-col lg:flex-row">
      <nav
        ref={strip}
        aria-label={p.nav.label}
        className="flex shrink-0 gap-1 overflow-x-auto border-b border-line bg-sunken px-2 py-1.5 lg:w-48 lg:flex-col lg:border-e lg:border-b-0 lg:px-2 lg:py-3"
      >
        {views
          .filter((v) => (!v.admin || isAdmin(me)) && (!('global' in v) || isGlobalAdmin(me)))
          .map((v) => (
            <Link
              key={v.to}
              to={v.to}
              activeOptions={{ exact: false }}
              className="shrink-0 rounded-md px-3 py-1.5 whitespace-nowrap text-muted transition-colors hover:bg-hover hover:text-text data-[status=active]:bg-hover data-[status=active]:font-medium data-[status=active]:text-text"
            >
              {v.label}
            </Link>
          ))}
      </nav>
      <Outlet />
    </div>
  );
}

/** The views that only administrators have. */
export function AdminsOnly() {
  const { data: me } = useQuery(meQuery);
  if (me && !isAdmin(me)) {
    return (
      <main className="grow">
        <EmptyState icon={<Lock aria-hidden />} title={p.noRight} text={p.noRightText} />
      </main>
    );
  }
  return <Outlet />;
}
