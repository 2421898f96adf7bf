import { useMutation, useQuery } from '@tanstack/react-query';
import { LogOut, Plus, X } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { isGlobalAdmin, nameOf, pickPeople } from '../../api/people';
import { meQuery } from '../../api/queries';
import { t } from '../../strings';
import { p } from '../../strings.people';
import { Button, IconButton } from '../../ui/button';
import { Confirm, Dialog } from '../../ui/dialog';
import { Field, Select } from '../../ui/field';
import { rowsOf, ShortList, type useListing } from '../../ui/listing';
import { Section } from '../../ui/page';
import { type Choice, Picker } from '../../ui/picker';
import { ErrorLine } from '../../ui/state';

export interface Member {
  user: { id: number; email: string; full_name?: string; first_name?: string; last_name?: string };
  role: string;
  /** They belong only because a team of theirs does: the team's page is where that is changed. */
  via_teams?: boolean;
}

interface MembersProps {
  members: Member[];
  /** The roles that can be given; Owner is none of them. */
  roles: readonly string[];
  mayManage: boolean;
  me: number | undefined;
  /** What the members belong to, in the question before one is taken out. */
  of: string;
  onRole: (userId: number, role: string) => Promise<unknown>;
  onRemove: (userId: number) => Promise<unknown>;
}

/** The people of a team, a project or an agent with their roles. */
export function Members({ members, roles, mayManage, me, of, onRole, onRemove }: MembersProps) {
  const [removing, setRemoving] = useState<Member>();
  const change = useMutation({ mutationFn: ({ id, role }: { id: number; role: string }) => onRole(id, role) });
  const leaving = removing?.user.id === me;
  return (
    <>
      <ul className="divide-y divide-line rounded-md border border-line">
        {members.map((m) => (
          <li key={m.user.id} className="flex min-h-12 items-center gap-2 py-1 ps-3 pe-1.5">
            <div className="min-w-0 grow">
              <p className="truncate">
                <bdi>{nameOf(m.user)}</bdi>
                {m.user.id === me && <span className="text-muted"> · {p.members.you}</span>}
              </p>
              {nameOf(m.user) !== m.user.email && <p className="truncate text-xs text-muted">{m.user.email}</p>}
            </div>
            {mayManage && m.role !== 'Owner' && !m.via_teams ? (
              <Select
                aria-label={p.members.roleOf(nameOf(m.user))}
                className="h-8! w-28! shrink-0 px-2!"
                value={m.role}
                disabled={change.isPending}
                onChange={(e) => change.mutate({ id: m.user.id, role: e.target.value })}
              >
                {roles.map((r) => (
                  <option key={r} value={r}>
                    {p.members.roles[r] ?? r}
                  </option>
                ))}
              </Select>
            ) : (
              <span className="shrink-0 px-2 text-muted">{m.via_teams ? p.members.viaTeam : (p.members.roles[m.role] ?? m.role)}</span>
            )}
            {m.role !== 'Owner' && !m.via_teams && (mayManage || m.user.id === me) && (
              <IconButton
                label={m.user.id === me ? p.members.leave : t.common.takeOut(nameOf(m.user))}
                onClick={() => setRemoving(m)}
              >
                {m.user.id === me ? <LogOut /> : <X />}
              </IconButton>
            )}
          </li>
        ))}
      </ul>
      {removing && (
        <Confirm
          open
          onClose={() => setRemoving(undefined)}
          title={leaving ? p.members.leaveTitle(of) : p.members.removeTitle(nameOf(removing.user), of)}
          text={leaving ? p.members.leaveText : p.members.removeText}
          verb={leaving ? p.members.leave : t.common.remove}
          act={() => onRemove(removing.user.id)}
        />
      )}
    </>
  );
}

const placeRoles = ['Admin', 'Member'] as const;
type PlaceRole = (typeof placeRoles)[number];

interface PlaceMembersProps {
  users: ReturnType<typeof useListing<Member>>;
  /** The name of the team or project. */
  of: string;
  hint: string;
  none?: string;
  mayManage: boolean;
  onAdd: (userIds: number[], role: PlaceRole) => Promise<unknown>;
  onRole: (userId: number, role: PlaceRole) => Promise<unknown>;
  onRemove: (userId: number) => Promise<unknown>;
  /** After a change. */
  again: () => Promise<unknown>;
  /** After somebody left who may not see it any more. */
  gone: () => Promise<unknown>;
}

/** The people of a team or a project, with what may be done about them. */
export function PlaceMembers({ users, of, hint, none, mayManage, onAdd, onRole, onRemove, again, gone }: PlaceMembersProps) {
  const { data: me } = useQuery(meQuery);
  return (
    <Section
      title={p.teams.members}
      hint={hint}
      actions={
        mayManage && (
          <AddMembers
            roles={placeRoles}
            without={rowsOf(users)
              .filter((m) => !m.via_teams)
              .map((m) => m.user.id)}
            onAdd={async (ids, role) => {
              await onAdd(ids, role as PlaceRole);
              await again();
            }}
          />
        )
      }
    >
      <ShortList list={users} waiting={3} none={none}>
        {(members) => (
          <Members
            members={members}
            roles={placeRoles}
            mayManage={mayManage}
            me={me?.id}
            of={of}
            onRole={async (id, role) => {
              await onRole(id, role as PlaceRole);
              await again();
            }}
            onRemove={async (id) => {
              await onRemove(id);
              await (id === me?.id && !isGlobalAdmin(me) ? gone() : again());
            }}
          />
        )}
      </ShortList>
    </Section>
  );
}

/** The button that opens the choice of people to add. */
export function AddMembers({
  roles,
  without,
  onAdd,
}: {
  roles: readonly string[];
  without: readonly number[];
  onAdd: (userIds: number[], role: string) => Promise<unknown>;
}) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button small onClick={() => setOpen(true)}>
        <Plus className="size-4" aria-hidden />
        {p.members.add}
      </Button>
      {open && <AddDialog roles={roles} without={without} onAdd={onAdd} onClose={() => setOpen(false)} />}
    </>
  );
}

function AddDialog({
  roles,
  without,
  onAdd,
  onClose,
}: {
  roles: readonly string[];
  without: readonly number[];
  onAdd: (userIds: number[], role: string) => Promise<unknown>;
  onClose: () => void;
}) {
  const [chosen, setChosen] = useState<Choice[]>([]);
  const [role, setRole] = useState(roles.at(-1) ?? '');
  const add = useMutation({
    mutationFn: () =>
      onAdd(
        chosen.map((c) => c.id),
        role,
      ),
    meta: { ownError: true },
    onSuccess: onClose,
  });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (chosen.length > 0) add.mutate();
  };
  return (
    <Dialog open onClose={onClose} title={p.members.addTitle}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Picker autoFocus label={p.members.person} name="people" load={pickPeople} chosen={chosen} onChange={setChosen} without={without} />
        <Field label={p.people.role}>
          {(f) => (
            <Select {...f} value={role} onChange={(e) => setRole(e.target.value)}>
              {roles.map((r) => (
                <option key={r} value={r}>
                  {p.members.rolesLong[r] ?? r}
                </option>
              ))}
            </Select>
          )}
        </Field>
        {add.error && <ErrorLine error={add.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t.common.cancel}</Button>
          <Button type="submit" look="primary" disabled={chosen.length === 0 || add.isPending}>
            {t.common.add}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
