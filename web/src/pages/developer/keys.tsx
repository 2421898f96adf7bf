import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { ExternalLink, KeyRound, Plus } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { api, take } from '../../api/client';
import { fieldProblem } from '../../api/error';
import { apiKeysQuery, keys } from '../../api/queries';
import type { ApiKey } from '../../api/types';
import { useNow, useTitle } from '../../lib/hooks';
import { t } from '../../strings';
import { Header } from '../../shell/header';
import { Button, buttonClass } from '../../ui/button';
import { Confirm, Dialog } from '../../ui/dialog';
import { CopyButton } from '../../ui/copy';
import { Field, Input, Select } from '../../ui/field';
import { Badge, EmptyState, ErrorLine, ErrorState, Skeleton } from '../../ui/state';
import { Table, Td, Th, wideOnly } from '../../ui/table';
import { Time } from '../../ui/time';

const day = 24 * 60 * 60 * 1000;

/** One's own API keys. */
export function KeysPage() {
  useTitle(t.keys.title);
  const list = useQuery(apiKeysQuery);
  const queryClient = useQueryClient();
  const [creating, setCreating] = useState(false);
  const [revoking, setRevoking] = useState<ApiKey>();
  return (
    <main className="flex min-h-0 grow flex-col">
      <Header title={t.keys.title}>
        <a href="/docs" target="_blank" rel="noopener" className={buttonClass('quiet')}>
          <ExternalLink className="size-4" aria-hidden />
          <span className="max-sm:sr-only">{t.keys.reference}</span>
        </a>
        <Button look="primary" onClick={() => setCreating(true)}>
          <Plus className="size-4" aria-hidden />
          {t.keys.create}
        </Button>
      </Header>
      <div className="min-h-0 grow overflow-y-auto">
        <div className="mx-auto max-w-5xl px-4 py-5 lg:px-6">
          <p className="mb-4 max-w-prose text-muted">{t.keys.intro}</p>
          {list.isPending && <Skeleton rows={3} />}
          {list.error && <ErrorState error={list.error} retry={() => void list.refetch()} />}
          {list.data?.length === 0 && (
            <EmptyState icon={<KeyRound aria-hidden />} title={t.keys.empty} text={t.keys.emptyText}>
              <Button look="primary" onClick={() => setCreating(true)}>
                {t.keys.create}
              </Button>
            </EmptyState>
          )}
          {(list.data?.length ?? 0) > 0 && (
            <Table>
              <thead>
                <tr>
                  <Th>{t.keys.columns.name}</Th>
                  <Th className={wideOnly}>{t.keys.columns.key}</Th>
                  <Th className={wideOnly}>{t.keys.columns.created}</Th>
                  <Th>{t.keys.columns.used}</Th>
                  <Th className={wideOnly}>{t.keys.columns.expires}</Th>
                  <Th>
                    <span className="sr-only">{t.keys.columns.actions}</span>
                  </Th>
                </tr>
              </thead>
              <tbody>
                {list.data?.map((k) => (
                  <KeyRow key={k.id} apiKey={k} onRevoke={() => setRevoking(k)} />
                ))}
              </tbody>
            </Table>
          )}
        </div>
      </div>
      {creating && <NewKey onClose={() => setCreating(false)} />}
      {revoking && (
        <Confirm
          open
          onClose={() => setRevoking(undefined)}
          title={t.keys.revokeTitle(revoking.name)}
          text={t.keys.revokeText}
          verb={t.keys.revoke}
          act={async () => {
            await api.DELETE('/api/v2/api-keys/{api_key_id}', { params: { path: { api_key_id: revoking.id } } });
            await queryClient.invalidateQueries({ queryKey: keys.apiKeys });
          }}
        />
      )}
    </main>
  );
}

function KeyRow({ apiKey: k, onRevoke }: { apiKey: ApiKey; onRevoke: () => void }) {
  const now = useNow();
  const expired = !!k.expires_on && new Date(k.expires_on) < now;
  return (
    <tr className="hover:bg-sunken">
      <Td className="w-full max-w-0 min-w-28 truncate font-medium">
        <bdi title={k.name}>{k.name}</bdi>
      </Td>
      <Td className={wideOnly}>
        <code className="font-mono text-xs whitespace-nowrap text-muted">{k.prefix}…</code>
      </Td>
      <Td className={`text-muted ${wideOnly}`}>
        <Time at={k.created_on} />
      </Td>
      <Td className="text-muted">
        <Time at={k.last_used_on} />
      </Td>
      <Td className={`text-muted ${wideOnly}`}>
        {expired ? <Badge tone="danger">{t.keys.expired}</Badge> : <Time at={k.expires_on} />}
      </Td>
      <Td className="text-end">
        <Button small look="quiet" className="text-danger" aria-label={t.keys.revokeOf(k.name)} onClick={onRevoke}>
          {t.keys.revoke}
        </Button>
      </Td>
    </tr>
  );
}

function NewKey({ onClose }: { onClose: () => void }) {
  const queryClient = useQueryClient();
  const [name, setName] = useState('');
  const [days, setDays] = useState(90);
  const create = useMutation({
    mutationFn: () =>
      take(
        api.POST('/api/v2/api-keys', {
          body: {
            name: name.trim(),
            ...(days > 0 ? { expires_on: new Date(Date.now() + days * day).toISOString() } : {}),
          },
        }),
      ),
    meta: { ownError: true },
    onSuccess: () => queryClient.invalidateQueries({ queryKey: keys.apiKeys }),
  });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (name.trim()) create.mutate();
  };
  if (create.data?.key) return <Secret secret={create.data.key} onClose={onClose} />;
  return (
    <Dialog open onClose={onClose} title={t.keys.createTitle}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label={t.common.name} hint={t.keys.nameHint} problem={fieldProblem(create.error, 'name')}>
          {(f) => <Input {...f} autoFocus required maxLength={100} value={name} onChange={(e) => setName(e.target.value)} />}
        </Field>
        <Field label={t.keys.expires} problem={fieldProblem(create.error, 'expires_on')}>
          {(f) => (
            <Select {...f} value={days} onChange={(e) => setDays(Number(e.target.value))}>
              {[30, 90, 365, 0].map((d) => (
                <option key={d} value={d}>
                  {t.keys.expiresIn[d]}
                </option>
              ))}
            </Select>
          )}
        </Field>
        {create.error && <ErrorLine error={create.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t.common.cancel}</Button>
          <Button type="submit" look="primary" disabled={!name.trim() || create.isPending}>
            {t.common.create}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** Shows a new key the only time it can be shown. */
function Secret({ secret, onClose }: { secret: string; onClose: () => void }) {
  const example = `curl ${window.location.origin}/api/v2/agents \\\n  -H 'Authorization: Bearer ${secret}'`;
  return (
    <Dialog open wide onClose={onClose} title={t.keys.created} hint={t.keys.createdText}>
      <div className="flex flex-col gap-4">
        <div className="flex items-center gap-2">
          <code className="min-w-0 grow rounded-md border border-line bg-sunken px-3 py-2 font-mono text-[0.8125rem] break-all select-all">
            {secret}
          </code>
          <CopyButton text={secret} />
        </div>
        <div>
          <p className="mb-1.5 font-medium">{t.keys.example}</p>
          {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- wider than the dialog on phones */}
          <pre tabIndex={0} className="overflow-x-auto rounded-md border border-line bg-sunken p-3 font-mono text-xs">
            {example}
          </pre>
        </div>
        <div className="flex justify-end">
          <Button look="primary" onClick={onClose}>
            {t.keys.done}
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
