import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { Mail, Plus, UserMinus, UserX, X } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { api, take } from '../../api/client';
import { fieldProblem } from '../../api/error';
import {
  at,
  isAdmin,
  isGlobalAdmin,
  nameOf,
  permissionsQuery,
  personProjectsQuery,
  personQuery,
  setsQuery,
} from '../../api/people';
import { keys, meQuery } from '../../api/queries';
import type { User } from '../../api/types';
import { useTitle } from '../../lib/hooks';
import { t } from '../../strings';
import { p } from '../../strings.people';
import { Button, IconButton } from '../../ui/button';
import { Confirm, Dialog } from '../../ui/dialog';
import { Field, Input, Select } from '../../ui/field';
import { Back, Page, Section } from '../../ui/page';
import { Badge, ErrorLine, ErrorState, Skeleton } from '../../ui/state';
import { Time } from '../../ui/time';
import { say } from '../../ui/toast';
import { PersonState, roles } from './people';
import { PersonRights } from './rights';
import { actions, grantable } from './sets';

/** One person: who they are, where they belong, and what they may. */
export function PersonPage() {
  const { userId } = useParams({ from: '/app/places/admin/people/$userId' });
  return <Loaded key={userId} id={Number(userId)} />;
}

function Loaded({ id }: { id: number }) {
  const person = useQuery(personQuery(id));
  useTitle(person.data && nameOf(person.data));
  const before = <Back to="/admin/people" label={p.people.title} />;
  if (person.error) {
    return (
      <Page slim title={p.people.one} before={before}>
        <ErrorState error={person.error} retry={() => void person.refetch()} />
      </Page>
    );
  }
  if (!person.data) {
    return (
      <Page slim title={p.people.one} before={before}>
        <Skeleton />
      </Page>
    );
  }
  return (
    <Page slim title={<bdi>{nameOf(person.data)}</bdi>} before={before} actions={<Acts user={person.data} />}>
      <About user={person.data} />
      <Permissions user={person.data} />
      <Memberships user={person.data} />
      <Section title={p.rights.title} hint={p.rights.hint}>
        <PersonRights id={id} />
      </Section>
    </Page>
  );
}

function Acts({ user }: { user: User }) {
  const queryClient = useQueryClient();
  const navigate = useNavigate();
  const { data: me } = useQuery(meQuery);
  const [asking, setAsking] = useState<'deactivate' | 'delete'>();
  const path = { params: { path: { user_id: user.id } } };
  const again = () => queryClient.invalidateQueries({ queryKey: at.people });
  const invite = useMutation({
    mutationFn: () => api.POST('/api/v2/users/{user_id}/invitation', path),
    onSuccess: () => say(p.people.invitedDone(user.email)),
  });
  const activate = useMutation({
    mutationFn: () => api.PUT('/api/v2/users/{user_id}', { ...path, body: { is_active: true } }),
    onSuccess: again,
  });
  if (user.id === me?.id || (user.role !== 'User' && !isGlobalAdmin(me))) return null;
  return (
    <>
      {!user.last_sign_in_on && user.is_active && (
        <IconButton label={p.people.inviteAgain} disabled={invite.isPending} onClick={() => invite.mutate()}>
          <Mail />
        </IconButton>
      )}
      {user.is_active ? (
        <IconButton label={p.people.deactivate} onClick={() => setAsking('deactivate')}>
          <UserMinus />
        </IconButton>
      ) : (
        <Button small disabled={activate.isPending} onClick={() => activate.mutate()}>
          {p.people.activate}
        </Button>
      )}
      <IconButton label={p.people.deleteDo} onClick={() => setAsking('delete')}>
        <UserX />
      </IconButton>
      {asking === 'deactivate' && (
        <Confirm
          open
          onClose={() => setAsking(undefined)}
          title={p.people.deactivateTitle(nameOf(user))}
          text={p.people.deactivateText}
          verb={p.people.deactivate}
          act={async () => {
            await api.PUT('/api/v2/users/{user_id}', { ...path, body: { is_active: false } });
            await again();
          }}
        />
      )}
      {asking === 'delete' && (
        <Confirm
          open
          onClose={() => setAsking(undefined)}
          title={p.people.deleteTitle(nameOf(user))}
          text={p.people.deleteText}
          verb={p.people.deleteDo}
          act={async () => {
            await api.DELETE('/api/v2/users/{user_id}', path);
            await navigate({ to: '/admin/people' });
            queryClient.removeQueries({ queryKey: at.person(user.id) });
            await again();
          }}
        />
      )}
    </>
  );
}

function About({ user }: { user: User }) {
  const queryClient = useQueryClient();
  const { data: me } = useQuery(meQuery);
  const [first, setFirst] = useState(user.first_name);
  const [last, setLast] = useState(user.last_name);
  const [role, setRole] = useState<User['role']>(user.role);
  const myself = user.id === me?.id;
  const changed = first !== user.first_name || last !== user.last_name || role !== user.role;
  const save = useMutation({
    mutationFn: () =>
      take(
        api.PUT('/api/v2/users/{user_id}', {
          params: { path: { user_id: user.id } },
          body: { first_name: first.trim(), last_name: last.trim(), ...(role === user.role ? {} : { role }) },
        }),
      ),
    meta: { ownError: true },
    onSuccess: async (saved) => {
      setFirst(saved.first_name);
      setLast(saved.last_name);
      setRole(saved.role);
      await queryClient.invalidateQueries({ queryKey: at.people });
      if (myself) await queryClient.invalidateQueries({ queryKey: keys.me });
      say(t.common.saved);
    },
  });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    save.mutate();
  };
  const fixed = !isAdmin(me) || (user.role !== 'User' && !isGlobalAdmin(me));
  return (
    <Section title={p.people.about}>
      <dl className="flex flex-wrap gap-x-6 gap-y-2 text-muted [&_dt]:text-xs">
        <div>
          <dt>{t.auth.email}</dt>
          <dd className="text-text">{user.email}</dd>
        </div>
        <div>
          <dt>{p.people.state}</dt>
          <dd>
            <PersonState user={user} />
          </dd>
        </div>
        <div>
          <dt>{p.people.lastSignIn}</dt>
          <dd>
            <Time at={user.last_sign_in_on} />
          </dd>
        </div>
        <div>
          <dt>{p.people.since}</dt>
          <dd>
            <Time at={user.created_on} />
          </dd>
        </div>
      </dl>
      <form onSubmit={submit}>
        <fieldset disabled={fixed} className="grid gap-4 sm:grid-cols-2">
          <Field label={p.people.firstName} problem={fieldProblem(save.error, 'first_name')}>
            {(f) => <Input {...f} maxLength={100} value={first} onChange={(e) => setFirst(e.target.value)} />}
          </Field>
          <Field label={p.people.lastName} problem={fieldProblem(save.error, 'last_name')}>
            {(f) => <Input {...f} maxLength={100} value={last} onChange={(e) => setLast(e.target.value)} />}
          </Field>
          <div className="sm:col-span-2">
            <Field label={p.people.role} hint={myself ? p.people.ownRole : p.people.roleHint[role]} problem={fieldProblem(save.error, 'role')}>
              {(f) => (
                <Select {...f} value={role} disabled={myself || !isGlobalAdmin(me)} onChange={(e) => setRole(e.target.value as User['role'])}>
                  {roles.map((r) => (
                    <option key={r}>{r}</option>
                  ))}
                </Select>
              )}
            </Field>
          </div>
          {save.error && <ErrorLine error={save.error} className="sm:col-span-2" />}
          <div className="flex justify-end sm:col-span-2">
            <Button type="submit" look="primary" disabled={!changed || save.isPending}>
              {save.isPending ? t.common.saving : t.common.save}
            </Button>
          </div>
        </fieldset>
      </form>
    </Section>
  );
}

/** The permission sets and single rights that a person holds beside the role. */
function Permissions({ user }: { user: User }) {
  const queryClient = useQueryClient();
  const { data: me } = useQuery(meQuery);
  const list = useQuery(permissionsQuery(user.id));
  const [adding, setAdding] = useState(false);
  const held = (list.data ?? []).filter((h) => h.kind !== 'role');
  const may = isGlobalAdmin(me);
  const takeAway = useMutation({
    mutationFn: (id: number) =>
      api.DELETE('/api/v2/users/{user_id}/permissions/{permission_id}', {
        params: { path: { user_id: user.id, permission_id: id } },
      }),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: at.person(user.id) }),
  });
  return (
    <Section
      title={p.permissions.title}
      hint={p.permissions.hint}
      actions={
        may && (
          <Button small onClick={() => setAdding(true)}>
            <Plus className="size-4" aria-hidden />
            {p.permissions.add}
          </Button>
        )
      }
    >
      {list.isPending && <Skeleton rows={1} />}
      {list.error && <ErrorLine error={list.error} />}
      {list.data && held.length === 0 && <p className="text-muted">{p.permissions.none}</p>}
      {held.length > 0 && (
        <ul className="divide-y divide-line rounded-md border border-line">
          {held.map((h) => (
            <li key={h.id} className="flex min-h-11 items-center gap-3 py-1 ps-3 pe-1">
              <span className="min-w-0 truncate">
                {h.kind === 'right' ? <code className="font-mono text-[0.8125rem]">{h.permission}</code> : h.permission}
              </span>
              <span className="ms-auto shrink-0">
                <Badge>{p.permissions.kinds[h.kind] ?? h.kind}</Badge>
              </span>
              {may && (
                <IconButton label={t.common.takeOut(h.permission)} disabled={takeAway.isPending} onClick={() => takeAway.mutate(h.id)}>
                  <X />
                </IconButton>
              )}
            </li>
          ))}
        </ul>
      )}
      {adding && <AddPermission user={user} onClose={() => setAdding(false)} />}
    </Section>
  );
}

function AddPermission({ user, onClose }: { user: User; onClose: () => void }) {
  const queryClient = useQueryClient();
  const sets = useQuery(setsQuery);
  const [set, setSet] = useState('');
  const [resource, setResource] = useState<string>('agent');
  const [action, setAction] = useState<string>('view');
  const give = useMutation({
    mutationFn: () =>
      api.POST('/api/v2/users/{user_id}/permissions', {
        params: { path: { user_id: user.id } },
        body: { permission: set || `${resource}:${action}` },
      }),
    meta: { ownError: true },
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: at.person(user.id) });
      onClose();
    },
  });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    give.mutate();
  };
  return (
    <Dialog open onClose={onClose} title={p.permissions.addTitle(nameOf(user))}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label={p.permissions.what}>
          {(f) => (
            <Select {...f} autoFocus value={set} onChange={(e) => setSet(e.target.value)}>
              <option value="">{p.permissions.oneRight}</option>
              {(sets.data ?? []).map((s) => (
                <option key={s.id} value={s.name}>
                  {p.permissions.theSet(s.name)}
                </option>
              ))}
            </Select>
          )}
        </Field>
        {set === '' && (
          <div className="grid grid-cols-2 gap-4">
            <Field label={p.sets.action}>
              {(f) => (
                <Select {...f} value={action} onChange={(e) => setAction(e.target.value)}>
                  {actions.map((a) => (
                    <option key={a} value={a}>
                      {p.actions[a]}
                    </option>
                  ))}
                </Select>
              )}
            </Field>
            <Field label={p.sets.resource}>
              {(f) => (
                <Select {...f} value={resource} onChange={(e) => setResource(e.target.value)}>
                  {Object.keys(grantable).map((r) => (
                    <option key={r} value={r}>
                      {p.resources[r]}
                    </option>
                  ))}
                </Select>
              )}
            </Field>
          </div>
        )}
        {give.error && <ErrorLine error={give.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t.common.cancel}</Button>
          <Button type="submit" look="primary" disabled={give.isPending}>
            {p.permissions.add}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function Memberships({ user }: { user: User }) {
  const projects = useQuery(personProjectsQuery(user.id));
  return (
    <Section title={p.projects.title} hint={p.people.projectsHint}>
      {projects.isPending && <Skeleton rows={1} />}
      {projects.error && <ErrorLine error={projects.error} />}
      {projects.data?.length === 0 && <p className="text-muted">{p.people.noProjects}</p>}
      {(projects.data?.length ?? 0) > 0 && (
        <ul className="divide-y divide-line rounded-md border border-line">
          {projects.data?.map((x) => (
            <li key={x.id} className="flex min-h-10 items-center gap-3 px-3 py-1.5">
              <Link to="/projects/$projectId" params={{ projectId: String(x.id) }} className="min-w-0 truncate hover:underline">
                <bdi>{x.name}</bdi>
              </Link>
              <span className="ms-auto min-w-0 truncate text-xs text-muted">{(x.teams ?? []).map((y) => y.name).join(', ')}</span>
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}
