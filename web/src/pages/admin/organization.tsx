import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useRef, useState } from 'react';
import { api } from '../../api/client';
import { ApiError, failureOf, fieldProblem } from '../../api/error';
import { isGlobalAdmin } from '../../api/people';
import { keys, meQuery } from '../../api/queries';
import type { User } from '../../api/types';
import { useTitle } from '../../lib/hooks';
import { t } from '../../strings';
import { p } from '../../strings.people';
import { Button } from '../../ui/button';
import { Field, Input } from '../../ui/field';
import { Page, Section } from '../../ui/page';
import { ErrorLine, Skeleton } from '../../ui/state';
import { say } from '../../ui/toast';

const largest = 512 * 1024; // bytes of a logo

/** The organization's name, domain and logo. */
export function OrganizationPage() {
  useTitle(p.organization.title);
  const { data: me } = useQuery(meQuery);
  return (
    <Page slim title={p.organization.title}>
      {me ? <Form key={me.organization.id} me={me} /> : <Skeleton />}
    </Page>
  );
}

function Form({ me }: { me: User }) {
  const queryClient = useQueryClient();
  const [name, setName] = useState(me.organization.org_name);
  const [domain, setDomain] = useState(me.organization.domain);
  const may = isGlobalAdmin(me);
  const save = useMutation({
    mutationFn: () => api.PUT('/api/v2/organizations/me', { body: { org_name: name.trim(), domain: domain.trim() } }),
    meta: { ownError: true },
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: keys.me });
      say(t.common.saved);
    },
  });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (name.trim()) save.mutate();
  };
  const changed = name !== me.organization.org_name || domain !== me.organization.domain;
  return (
    <>
      <Section title={p.organization.about}>
        <form onSubmit={submit}>
          <fieldset disabled={!may} className="flex flex-col gap-4">
            <Field label={t.common.name} problem={fieldProblem(save.error, 'org_name')}>
              {(f) => <Input {...f} required maxLength={200} value={name} onChange={(e) => setName(e.target.value)} />}
            </Field>
            <Field label={p.organization.domain} optional hint={p.organization.domainHint} problem={fieldProblem(save.error, 'domain')}>
              {(f) => <Input {...f} dir="ltr" maxLength={253} placeholder="example.org" value={domain} onChange={(e) => setDomain(e.target.value)} />}
            </Field>
            {save.error && <ErrorLine error={save.error} />}
            <div className="flex justify-end">
              <Button type="submit" look="primary" disabled={!changed || !name.trim() || save.isPending}>
                {save.isPending ? t.common.saving : t.common.save}
              </Button>
            </div>
          </fieldset>
        </form>
      </Section>
      <Logo id={me.organization.id} may={may} />
    </>
  );
}

function Logo({ id, may }: { id: number; may: boolean }) {
  const input = useRef<HTMLInputElement>(null);
  const [stamp, setStamp] = useState(0);
  const address = `/api/v2/organizations/${id}/logo`;
  // Asked for by fetch: an image that fails to load says nothing about why.
  const logo = useQuery({
    queryKey: ['logo', id, stamp],
    queryFn: async ({ signal }) => {
      const response = await fetch(address, { signal, credentials: 'same-origin' });
      if (response.status === 404) return null;
      if (!response.ok) throw await failureOf(response);
      return URL.createObjectURL(await response.blob());
    },
  });
  const put = useMutation({
    mutationFn: async (file: File | undefined) => {
      if (file && file.size > largest) throw new ApiError(413, p.organization.logoLarge);
      const body = new FormData();
      if (file) body.append('logo', file);
      const response = await fetch(address, { method: file ? 'PUT' : 'DELETE', credentials: 'same-origin', ...(file ? { body } : {}) });
      if (!response.ok) throw await failureOf(response);
    },
    meta: { ownError: true },
    onSuccess: () => setStamp(stamp + 1),
  });
  return (
    <Section title={p.organization.logo} hint={p.organization.logoHint}>
      <div className="flex flex-wrap items-center gap-4">
        {logo.data ? (
          <img src={logo.data} alt={p.organization.logo} className="h-16 max-w-48 rounded-md border border-line object-contain p-1" />
        ) : (
          <p className="text-muted">{logo.isPending ? t.common.loading : p.organization.noLogo}</p>
        )}
        {may && (
          <div className="flex gap-2">
            <input
              ref={input}
              type="file"
              accept="image/png,image/jpeg,image/webp"
              className="sr-only"
              aria-label={p.organization.logoChoose}
              tabIndex={-1}
              onChange={(e) => {
                const file = e.target.files?.[0];
                e.target.value = '';
                if (file) put.mutate(file);
              }}
            />
            <Button disabled={put.isPending} onClick={() => input.current?.click()}>
              {p.organization.logoChoose}
            </Button>
            {logo.data && (
              <Button look="quiet" disabled={put.isPending} onClick={() => put.mutate(undefined)}>
                {t.common.remove}
              </Button>
            )}
          </div>
        )}
      </div>
      {(put.error ?? logo.error) && <ErrorLine error={put.error ?? logo.error} />}
    </Section>
  );
}
