import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { UserPlus, Users } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { api, take } from '../../api/client';
import { fieldProblem } from '../../api/error';
import { at, isGlobalAdmin, loadPeople, nameOf } from '../../api/people';
import { meQuery } from '../../api/queries';
import type { User } from '../../api/types';
import { usePaused, useTitle } from '../../lib/hooks';
import { t } from '../../strings';
import { p } from '../../strings.people';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { Field, Input, SearchInput, Select } from '../../ui/field';
import { Listing, useListing } from '../../ui/listing';
import { Page } from '../../ui/page';
import { Badge, ErrorLine } from '../../ui/state';
import { Td, wideOnly } from '../../ui/table';
import { Time } from '../../ui/time';
import { say } from '../../ui/toast';

export const roles = ['User', 'Application Admin', 'Global Admin'] as const;

/** Everybody of the organization. */
export function PeoplePage() {
  useTitle(p.people.title);
  const [search, setSearch] = useState('');
  const [role, setRole] = useState('');
  const [active, setActive] = useState('');
  const [inviting, setInviting] = useState(false);
  const filter = { search: usePaused(search.trim()), role, active };
  const list = useListing([...at.people, 'list', filter], (page, signal) => loadPeople(filter, page, signal));
  const invite = (
    <Button look="primary" onClick={() => setInviting(true)}>
      <UserPlus className="size-4" aria-hidden />
      {p.people.invite}
    </Button>
  );
  return (
    <Page title={p.people.title} actions={invite}>
      <Listing
        list={list}
        id={(u) => u.id}
        narrowed={filter.search !== '' || role !== '' || active !== ''}
        noMatch={p.people.noMatch}
        empty={{ icon: <Users aria-hidden />, title: p.people.empty, text: p.people.emptyText, action: invite }}
        columns={[
          { label: t.common.name },
          { label: p.people.role, wide: true },
          { label: p.people.state },
          { label: p.people.lastSignIn, wide: true },
        ]}
        filters={
          <>
            <SearchInput label={p.people.search} value={search} onChange={(e) => setSearch(e.target.value)} className="w-64 max-sm:w-full" />
            <Select aria-label={p.people.role} value={role} onChange={(e) => setRole(e.target.value)} className="w-auto! max-sm:w-0! max-sm:grow">
              <option value="">{p.people.everyRole}</option>
              {roles.map((r) => (
                <option key={r}>{r}</option>
              ))}
            </Select>
            <Select aria-label={p.people.state} value={active} onChange={(e) => setActive(e.target.value)} className="w-auto! max-sm:w-0! max-sm:grow">
              <option value="">{p.people.everyState}</option>
              <option value="true">{p.people.active}</option>
              <option value="false">{p.people.inactive}</option>
            </Select>
          </>
        }
        row={(u) => <Row user={u} />}
      />
      {inviting && <Invite onClose={() => setInviting(false)} />}
    </Page>
  );
}

function Row({ user: u }: { user: User }) {
  return (
    <tr className="hover:bg-sunken">
      <Td className="w-full max-w-0 min-w-40">
        <Link to="/admin/people/$userId" params={{ userId: String(u.id) }} className="block truncate font-medium hover:underline">
          <bdi>{nameOf(u)}</bdi>
        </Link>
        {nameOf(u) !== u.email && (
          <p className="truncate text-xs text-muted" title={u.email}>
            {u.email}
          </p>
        )}
      </Td>
      <Td className={`whitespace-nowrap ${wideOnly}`}>{u.role}</Td>
      <Td>
        <PersonState user={u} />
      </Td>
      <Td className={`text-muted ${wideOnly}`}>
        <Time at={u.last_sign_in_on} />
      </Td>
    </tr>
  );
}

/** Whether a person can sign in, and whether they ever did. */
export function PersonState({ user: u }: { user: User }) {
  if (u.is_active === false) return <Badge>{p.people.inactive}</Badge>;
  if (!u.last_sign_in_on && u.invited_on) return <Badge tone="accent">{p.people.invited}</Badge>;
  return <Badge tone="ok">{p.people.active}</Badge>;
}

function Invite({ onClose }: { onClose: () => void }) {
  const queryClient = useQueryClient();
  const { data: me } = useQuery(meQuery);
  const [email, setEmail] = useState('');
  const [first, setFirst] = useState('');
  const [last, setLast] = useState('');
  const [role, setRole] = useState<(typeof roles)[number]>('User');
  const create = useMutation({
    mutationFn: () =>
      take(
        api.POST('/api/v2/organizations/{organization_id}/users', {
          params: { path: { organization_id: me?.organization?.id ?? 0 } },
          body: { email: email.trim(), first_name: first.trim(), last_name: last.trim(), role },
        }),
      ),
    meta: { ownError: true },
    onSuccess: async (made) => {
      await queryClient.invalidateQueries({ queryKey: at.people });
      say(p.people.invitedDone(made.email));
      onClose();
    },
  });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (email.trim()) create.mutate();
  };
  return (
    <Dialog open onClose={onClose} title={p.people.inviteTitle} hint={p.people.inviteText}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label={t.auth.email} problem={fieldProblem(create.error, 'email')}>
          {(f) => <Input {...f} type="email" autoFocus required maxLength={254} value={email} onChange={(e) => setEmail(e.target.value)} />}
        </Field>
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label={p.people.firstName} optional problem={fieldProblem(create.error, 'first_name')}>
            {(f) => <Input {...f} maxLength={100} value={first} onChange={(e) => setFirst(e.target.value)} />}
          </Field>
          <Field label={p.people.lastName} optional problem={fieldProblem(create.error, 'last_name')}>
            {(f) => <Input {...f} maxLength={100} value={last} onChange={(e) => setLast(e.target.value)} />}
          </Field>
        </div>
        <Field label={p.people.role} hint={p.people.roleHint[role]} problem={fieldProblem(create.error, 'role')}>
          {(f) => (
            <Select {...f} value={role} disabled={!isGlobalAdmin(me)} onChange={(e) => setRole(e.target.value as typeof role)}>
              {roles.map((r) => (
                <option key={r}>{r}</option>
              ))}
            </Select>
          )}
        </Field>
        {create.error && <ErrorLine error={create.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t.common.cancel}</Button>
          <Button type="submit" look="primary" disabled={!email.trim() || create.isPending}>
            {p.people.inviteDo}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
