import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { api, take } from '../../api/client';
import { fieldProblem } from '../../api/error';
import { at, nameOf, sessionsQuery } from '../../api/people';
import { keys, meQuery } from '../../api/queries';
import type { Session, User } from '../../api/types';
import { program } from '../../lib/program';
import { useTitle } from '../../lib/hooks';
import { t } from '../../strings';
import { p } from '../../strings.people';
import { Button } from '../../ui/button';
import { Confirm } from '../../ui/dialog';
import { Field, Input } from '../../ui/field';
import { Page, Section } from '../../ui/page';
import { Badge, ErrorLine, Skeleton } from '../../ui/state';
import { Time } from '../../ui/time';
import { say } from '../../ui/toast';
import { PersonRights } from '../admin/rights';
import { PasswordFields, useNewPassword } from '../auth/password';

/** One's own name, password, sessions and rights. */
export function ProfilePage() {
  useTitle(p.profile.title);
  const { data: me } = useQuery(meQuery);
  if (!me) {
    return (
      <Page slim title={p.profile.title}>
        <Skeleton />
      </Page>
    );
  }
  return (
    <Page slim title={p.profile.title}>
      <Name me={me} />
      <Password />
      <Sessions />
      <Section title={p.profile.rights} hint={p.profile.rightsHint}>
        <PersonRights id={me.id} />
      </Section>
    </Page>
  );
}

function Name({ me }: { me: User }) {
  const queryClient = useQueryClient();
  const [first, setFirst] = useState(me.first_name);
  const [last, setLast] = useState(me.last_name);
  const save = useMutation({
    mutationFn: () =>
      take(
        api.PUT('/api/v2/users/{user_id}', {
          params: { path: { user_id: me.id } },
          body: { first_name: first.trim(), last_name: last.trim() },
        }),
      ),
    meta: { ownError: true },
    onSuccess: async (saved) => {
      setFirst(saved.first_name);
      setLast(saved.last_name);
      await queryClient.invalidateQueries({ queryKey: keys.me });
      await queryClient.invalidateQueries({ queryKey: at.people });
      say(t.common.saved);
    },
  });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    save.mutate();
  };
  const changed = first !== me.first_name || last !== me.last_name;
  return (
    <Section title={nameOf(me)} hint={`${me.email} · ${me.role} · ${me.organization.org_name}`}>
      <form onSubmit={submit} className="grid gap-4 sm:grid-cols-2">
        <Field label={p.people.firstName} problem={fieldProblem(save.error, 'first_name')}>
          {(f) => <Input {...f} autoComplete="given-name" maxLength={100} value={first} onChange={(e) => setFirst(e.target.value)} />}
        </Field>
        <Field label={p.people.lastName} problem={fieldProblem(save.error, 'last_name')}>
          {(f) => <Input {...f} autoComplete="family-name" maxLength={100} value={last} onChange={(e) => setLast(e.target.value)} />}
        </Field>
        {save.error && <ErrorLine error={save.error} className="sm:col-span-2" />}
        <div className="flex justify-end sm:col-span-2">
          <Button type="submit" look="primary" disabled={!changed || save.isPending}>
            {save.isPending ? t.common.saving : t.common.save}
          </Button>
        </div>
      </form>
    </Section>
  );
}

function Password() {
  const queryClient = useQueryClient();
  const [current, setCurrent] = useState('');
  const chosen = useNewPassword();
  const change = useMutation({
    mutationFn: () =>
      api.PATCH('/auth-service/api/v2/users/me/password', {
        body: { current_password: current, new_password: chosen.password },
      }),
    meta: { ownError: true },
    onSuccess: async () => {
      setCurrent('');
      chosen.put({ password: '', repeated: '' });
      await queryClient.invalidateQueries({ queryKey: at.sessions });
      say(p.profile.changed);
    },
  });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (chosen.ready && current) change.mutate();
  };
  return (
    <Section title={p.profile.password} hint={p.profile.passwordHint}>
      <form onSubmit={submit} className="flex max-w-sm flex-col gap-4">
        <Field label={p.profile.current} problem={fieldProblem(change.error, 'current_password')}>
          {(f) => (
            <Input
              {...f}
              type="password"
              autoComplete="current-password"
              maxLength={1000}
              value={current}
              onChange={(e) => setCurrent(e.target.value)}
            />
          )}
        </Field>
        <PasswordFields value={chosen} error={change.error} problem="new_password" />
        {change.error && <ErrorLine error={change.error} />}
        <Button type="submit" className="self-start" disabled={!chosen.ready || !current || change.isPending}>
          {p.profile.change}
        </Button>
      </form>
    </Section>
  );
}

function Sessions() {
  const queryClient = useQueryClient();
  const navigate = useNavigate();
  const list = useQuery(sessionsQuery);
  const [asking, setAsking] = useState(false);
  const again = () => queryClient.invalidateQueries({ queryKey: at.sessions });
  const end = useMutation({
    mutationFn: (s: Session) =>
      api.DELETE('/api/v2/users/me/sessions/{session_id}', { params: { path: { session_id: s.id } } }),
    onSuccess: async (_, s) => {
      if (!s.is_current) return again();
      queryClient.clear();
      await navigate({ to: '/sign-in' });
    },
  });
  const others = (list.data ?? []).filter((s) => !s.is_current).length;
  return (
    <Section
      title={p.profile.sessions}
      hint={p.profile.sessionsHint}
      actions={
        others > 0 && (
          <Button small onClick={() => setAsking(true)}>
            {p.profile.signOutOthers}
          </Button>
        )
      }
    >
      {list.isPending && <Skeleton rows={2} />}
      {list.error && <ErrorLine error={list.error} />}
      {(list.data?.length ?? 0) > 0 && (
        <ul className="divide-y divide-line rounded-md border border-line">
          {list.data?.map((s) => {
            const name = program(s.agent) || p.profile.program;
            return (
              <li key={s.id} className="flex min-h-12 items-center gap-2 py-1.5 ps-3 pe-1.5">
                <div className="min-w-0 grow">
                  <p className="flex items-center gap-2" title={s.agent}>
                    <span className="truncate">{name}</span>
                    {s.is_current && <Badge tone="accent">{p.profile.here}</Badge>}
                  </p>
                  <p className="truncate text-xs text-muted">
                    {[p.profile.ways[s.way] ?? s.way, s.address].filter(Boolean).join(' · ')} · {p.profile.used}{' '}
                    <Time at={s.last_used_on ?? s.created_on} />
                  </p>
                </div>
                <Button small look="quiet" aria-label={p.profile.signOutOf(name)} disabled={end.isPending} onClick={() => end.mutate(s)}>
                  {p.profile.signOutOne}
                </Button>
              </li>
            );
          })}
        </ul>
      )}
      {asking && (
        <Confirm
          open
          onClose={() => setAsking(false)}
          title={p.profile.signOutOthersTitle}
          text={p.profile.signOutOthersText}
          verb={p.profile.signOutOthers}
          act={async () => {
            await api.DELETE('/api/v2/users/me/sessions');
            await again();
          }}
        />
      )}
    </Section>
  );
}
