import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Plus, UsersRound, X } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { api, take } from '../../api/client';
import { nameOf, pickPeople, pickTeams } from '../../api/people';
import { keys, meQuery } from '../../api/queries';
import type { Corpus, Grant } from '../../api/types';
import { t } from '../../strings';
import { p } from '../../strings.people';
import { Button, IconButton } from '../../ui/button';
import { Confirm, Dialog, Sheet } from '../../ui/dialog';
import { Field, Select } from '../../ui/field';
import { partSize, rowsOf, ShortList, useListing } from '../../ui/listing';
import { type Choice, Picker } from '../../ui/picker';
import { ErrorLine } from '../../ui/state';
import { Switch } from '../../ui/switch';
import { Reach } from './reach';

const roles = ['Viewer', 'Editor', 'Admin'] as const;
type Role = (typeof roles)[number];

const nameOfGrant = (g: Grant): string => (g.team ? g.team.name : g.user ? nameOf(g.user) : '');

/** Who may see and change a corpus, in a pane beside it. */
export default function CorpusAccess({ corpus, onClose }: { corpus: Corpus; onClose: () => void }) {
  const queryClient = useQueryClient();
  const { data: me } = useQuery(meQuery);
  const [adding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<Grant>();
  const path = { corpus_id: corpus.id };
  const list = useListing([...keys.corpus(corpus.id), 'grants'], async (page, signal) => {
    const { permissions, pagination } = await take(
      api.GET('/api/v2/corpora/{corpus_id}/permissions', { signal, params: { path, query: { page, page_size: partSize } } }),
    );
    return { rows: permissions, pagination };
  });
  const rights = useQuery({
    queryKey: [...keys.corpus(corpus.id), 'mine'],
    enabled: me !== undefined,
    queryFn: async ({ signal }) =>
      (
        await take(
          api.GET('/api/v2/users/{user_id}/rights', {
            signal,
            params: { path: { user_id: me?.id ?? 0 }, query: { resource: 'corpus', id: corpus.id } },
          }),
        )
      ).rights ?? [],
  });
  const mayManage = rights.data?.some((r) => r.action === 'manage' && r.allowed) ?? false;
  const grants = rowsOf(list);
  const again = () => queryClient.invalidateQueries({ queryKey: keys.corpus(corpus.id) });
  const change = useMutation({
    mutationFn: ({ id, role }: { id: number; role: Role }) =>
      api.PUT('/api/v2/corpora/{corpus_id}/permissions/{permission_id}', { params: { path: { ...path, permission_id: id } }, body: { role } }),
    onSuccess: again,
  });
  const restrict = useMutation({
    mutationFn: (on: boolean) => api.PUT('/api/v2/corpora/{corpus_id}', { params: { path }, body: { restrict_to_viewers: on } }),
    onSuccess: again,
  });
  return (
    <Sheet open onClose={onClose} title={p.access.title} side="end">
      <header className="flex h-14 shrink-0 items-center gap-2 border-b border-line ps-4 pe-2">
        <h2 className="min-w-0 grow truncate text-base font-semibold">
          {p.access.title}: <bdi>{corpus.name}</bdi>
        </h2>
        <IconButton label={t.common.close} onClick={onClose}>
          <X />
        </IconButton>
      </header>
      <div className="flex min-h-0 grow flex-col gap-6 overflow-y-auto px-4 py-5">
        <div className="flex flex-col gap-3">
          <div className="flex items-end gap-2">
            <div className="grow">
              <h3 className="font-medium">{p.access.grants}</h3>
              <p className="text-xs text-muted">{p.access.corpusHint}</p>
            </div>
            {mayManage && (
              <Button small onClick={() => setAdding(true)}>
                <Plus className="size-4" aria-hidden />
                {p.access.grant}
              </Button>
            )}
          </div>
          <ShortList list={list}>
            {(shown) => (
              <ul className="divide-y divide-line rounded-md border border-line">
                {shown.map((g) => (
                  <li key={g.id ?? 'owner'} className="flex min-h-12 items-center gap-2 py-1 ps-3 pe-1.5">
                    <div className="min-w-0 grow">
                      <p className="flex items-center gap-1.5">
                        {g.team && <UsersRound className="size-4 shrink-0 text-muted" aria-label={p.access.team} />}
                        <bdi className="truncate">{nameOfGrant(g)}</bdi>
                      </p>
                      {g.user && nameOf(g.user) !== g.user.email && <p className="truncate text-xs text-muted">{g.user.email}</p>}
                    </div>
                    {mayManage && g.id ? (
                      <>
                        <Select
                          aria-label={p.members.roleOf(nameOfGrant(g))}
                          className="h-8! w-28! shrink-0 px-2!"
                          value={g.role}
                          disabled={change.isPending}
                          onChange={(e) => change.mutate({ id: g.id ?? 0, role: e.target.value as Role })}
                        >
                          {roles.map((r) => (
                            <option key={r} value={r}>
                              {p.members.roles[r]}
                            </option>
                          ))}
                        </Select>
                        <IconButton label={t.common.takeOut(nameOfGrant(g))} onClick={() => setRemoving(g)}>
                          <X />
                        </IconButton>
                      </>
                    ) : (
                      <span className="shrink-0 px-2 text-muted">{p.members.roles[g.role] ?? g.role}</span>
                    )}
                  </li>
                ))}
              </ul>
            )}
          </ShortList>
        </div>
        <div className="flex items-start gap-3 border-t border-line pt-5">
          <div className="grow">
            <h3 className="font-medium">{p.access.restrict}</h3>
            <p className="text-xs text-muted">{p.access.restrictHint}</p>
          </div>
          <Switch label={p.access.restrict} on={corpus.restrict_to_viewers} disabled={!mayManage || restrict.isPending} onChange={(on) => restrict.mutate(on)} />
        </div>
        {mayManage && (
          <div className="flex flex-col gap-3 border-t border-line pt-5">
            <Reach
              queryKey={[...keys.corpus(corpus.id), 'rights']}
              load={async (action, page, signal) => {
                const { users: rows, pagination } = await take(
                  api.GET('/api/v2/corpora/{corpus_id}/rights', { signal, params: { path, query: { action, page, page_size: partSize } } }),
                );
                return { rows, pagination };
              }}
            />
          </div>
        )}
      </div>
      {adding && (
        <Share
          corpusId={corpus.id}
          without={{ person: grants.flatMap((g) => (g.user ? [g.user.id] : [])), team: grants.flatMap((g) => (g.team ? [g.team.id] : [])) }}
          onClose={() => setAdding(false)}
          onDone={again}
        />
      )}
      {removing && (
        <Confirm
          open
          onClose={() => setRemoving(undefined)}
          title={p.access.removeTitle(nameOfGrant(removing), corpus.name)}
          text={p.members.removeText}
          verb={t.common.remove}
          act={async () => {
            await api.DELETE('/api/v2/corpora/{corpus_id}/permissions/{permission_id}', {
              params: { path: { ...path, permission_id: removing.id ?? 0 } },
            });
            await again();
          }}
        />
      )}
    </Sheet>
  );
}

function Share({
  corpusId,
  without,
  onClose,
  onDone,
}: {
  corpusId: number;
  without: Record<'person' | 'team', number[]>;
  onClose: () => void;
  onDone: () => Promise<unknown>;
}) {
  const [kind, setKind] = useState<'person' | 'team'>('person');
  const [chosen, setChosen] = useState<Choice[]>([]);
  const [role, setRole] = useState<Role>('Viewer');
  const share = useMutation({
    mutationFn: async () => {
      // One by one: what was shared stays shared when a later one is refused.
      for (const c of chosen) {
        await api.POST('/api/v2/corpora/{corpus_id}/permissions', {
          params: { path: { corpus_id: corpusId } },
          body: { role, ...(kind === 'person' ? { user_id: c.id } : { team_id: c.id }) },
        });
        setChosen((left) => left.filter((x) => x.id !== c.id));
      }
    },
    meta: { ownError: true },
    onSettled: onDone,
    onSuccess: onClose,
  });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (chosen.length > 0) share.mutate();
  };
  return (
    <Dialog open onClose={onClose} title={p.access.grantTitle}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label={p.access.kind}>
          {(f) => (
            <Select
              {...f}
              autoFocus
              value={kind}
              onChange={(e) => {
                setKind(e.target.value as typeof kind);
                setChosen([]);
              }}
            >
              {(['person', 'team'] as const).map((k) => (
                <option key={k} value={k}>
                  {p.access.kinds[k]}
                </option>
              ))}
            </Select>
          )}
        </Field>
        <Picker
          key={kind}
          label={kind === 'person' ? p.members.person : p.access.teamField}
          name={kind === 'person' ? 'people' : 'teams'}
          load={kind === 'person' ? pickPeople : pickTeams}
          chosen={chosen}
          onChange={setChosen}
          without={without[kind]}
        />
        <Field label={p.people.role}>
          {(f) => (
            <Select {...f} value={role} onChange={(e) => setRole(e.target.value as Role)}>
              {roles.map((r) => (
                <option key={r} value={r}>
                  {p.access.rolesLong[r]}
                </option>
              ))}
            </Select>
          )}
        </Field>
        {share.error && <ErrorLine error={share.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t.common.cancel}</Button>
          <Button type="submit" look="primary" disabled={chosen.length === 0 || share.isPending}>
            {p.access.grant}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
