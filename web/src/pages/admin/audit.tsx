import { useMutation } from '@tanstack/react-query';
import { Download, History, ShieldCheck } from 'lucide-react';
import { useState } from 'react';
import { api, take } from '../../api/client';
import { at } from '../../api/people';
import type { AuditEvent } from '../../api/types';
import { usePaused, useTitle } from '../../lib/hooks';
import { p } from '../../strings.people';
import { Button } from '../../ui/button';
import { Input, SearchInput, Select } from '../../ui/field';
import { Listing, partSize, useListing } from '../../ui/listing';
import { Menu } from '../../ui/menu';
import { Page } from '../../ui/page';
import { ErrorLine } from '../../ui/state';
import { Td, wideOnly } from '../../ui/table';
import { Time } from '../../ui/time';

/** The day as the server takes moments; the end of a day is the start of the next. */
function moment(day: string, add: number): string | undefined {
  if (!day) return undefined;
  const at = new Date(`${day}T00:00:00`);
  at.setDate(at.getDate() + add);
  return at.toISOString();
}

/** Who did what. */
export function AuditPage() {
  useTitle(p.audit.title);
  const [search, setSearch] = useState('');
  const [resource, setResource] = useState('');
  const [from, setFrom] = useState('');
  const [to, setTo] = useState('');
  const filter = {
    search: usePaused(search.trim()) || undefined,
    resource: resource || undefined,
    from: moment(from, 0),
    to: moment(to, 1),
  };
  const list = useListing([...at.audit, filter], async (page, signal) => {
    const { audit_events, pagination } = await take(
      api.GET('/api/v2/audit-events', { signal, params: { query: { page, page_size: partSize, ...filter } } }),
    );
    return { rows: audit_events, pagination };
  });
  const verify = useMutation({
    mutationFn: () => take(api.GET('/api/v2/audit-events/verify')),
    meta: { ownError: true },
  });
  const address = (format: string) => {
    const given = Object.entries({ format, ...filter }).filter((e): e is [string, string] => e[1] !== undefined);
    return `/api/v2/audit-events/export?${new URLSearchParams(given).toString()}`;
  };
  const item = 'flex h-8 items-center rounded px-2 hover:bg-hover';
  return (
    <Page
      title={p.audit.title}
      actions={
        <>
          <Button look="quiet" disabled={verify.isPending} onClick={() => verify.mutate()}>
            <ShieldCheck className="size-4" aria-hidden />
            <span className="max-sm:sr-only">{verify.isPending ? p.audit.verifying : p.audit.verify}</span>
          </Button>
          <Menu
            trigger={
              <Button look="quiet">
                <Download className="size-4" aria-hidden />
                <span className="max-sm:sr-only">{p.audit.export}</span>
              </Button>
            }
          >
            {(['csv', 'jsonl'] as const).map((f) => (
              <a key={f} href={address(f)} download role="menuitem" className={item}>
                {p.audit.formats[f]}
              </a>
            ))}
          </Menu>
        </>
      }
    >
      <div role="status">
        {verify.data && (
          <p className={`mb-4 rounded-md px-3 py-2 ${verify.data.intact ? 'bg-accent-soft text-accent' : 'bg-danger-soft text-danger'}`}>
            {verify.data.intact ? p.audit.intact(verify.data.events) : p.audit.broken(verify.data.problem ?? '')}
          </p>
        )}
        {verify.error && <ErrorLine error={verify.error} className="mb-4" />}
      </div>
      <Listing
        list={list}
        id={(e) => e.id}
        narrowed={Object.values(filter).some(Boolean)}
        noMatch={p.audit.noMatch}
        empty={{ icon: <History aria-hidden />, title: p.audit.empty, text: p.audit.emptyText }}
        columns={[{ label: p.audit.when }, { label: p.audit.who, wide: true }, { label: p.audit.what }, { label: p.audit.from, wide: true }]}
        filters={
          <>
            <SearchInput label={p.audit.search} value={search} onChange={(e) => setSearch(e.target.value)} className="w-64 max-sm:w-full" />
            <Select aria-label={p.audit.resource} value={resource} onChange={(e) => setResource(e.target.value)} className="w-auto! max-sm:w-0! max-sm:grow">
              <option value="">{p.audit.everything}</option>
              {Object.entries(p.resources).map(([value, label]) => (
                <option key={value} value={value}>
                  {label}
                </option>
              ))}
            </Select>
            <div className="flex items-center gap-2 max-sm:w-full">
              <Input type="date" className="min-w-0 max-sm:px-1.5!" aria-label={p.audit.since} value={from} max={to || undefined} onChange={(e) => setFrom(e.target.value)} />
              <span aria-hidden>–</span>
              <Input type="date" className="min-w-0 max-sm:px-1.5!" aria-label={p.audit.until} value={to} min={from || undefined} onChange={(e) => setTo(e.target.value)} />
            </div>
          </>
        }
        row={(e) => <Row event={e} />}
      />
    </Page>
  );
}

function Row({ event: e }: { event: AuditEvent }) {
  const [open, setOpen] = useState(false);
  const told = JSON.stringify(e.detail ?? {}, null, 2);
  return (
    <>
      <tr className="hover:bg-sunken">
        <Td className="text-muted">
          <Time at={e.created_on} />
        </Td>
        <Td className={`max-w-48 truncate ${wideOnly}`}>{e.actor || p.audit.server}</Td>
        <Td className="w-full max-w-0 min-w-40">
          <button type="button" aria-expanded={open} className="block max-w-full truncate text-start hover:underline" onClick={() => setOpen(!open)}>
            {p.audit.act(e.action)}
            {e.resource_id && <span className="text-muted"> · {e.resource.replaceAll('_', ' ')} {e.resource_id}</span>}
          </button>
          <p className="truncate text-xs text-muted md:hidden">{e.actor || p.audit.server}</p>
        </Td>
        <Td className={`text-muted ${wideOnly}`}>{e.address}</Td>
      </tr>
      {open && (
        <tr>
          <td colSpan={4} className="border-b border-line bg-sunken px-2 py-2">
            <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 text-xs [&_dt]:text-muted">
              <dt>{p.audit.number}</dt>
              <dd>{e.seq}</dd>
              <dt>{p.audit.when}</dt>
              <dd>{new Date(e.created_on).toLocaleString()}</dd>
              <dt>{p.audit.by}</dt>
              <dd>{e.carrier}</dd>
              <dt>{p.audit.request}</dt>
              <dd className="font-mono break-all">{e.request_id}</dd>
              <dt>{p.audit.hash}</dt>
              <dd className="font-mono break-all">{e.hash}</dd>
            </dl>
            {told !== '{}' && told !== 'null' && (
              // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- may be wider than the table
              <pre tabIndex={0} className="mt-2 max-h-60 max-w-[calc(100vw-3rem)] overflow-auto rounded-md border border-line bg-bg p-2 font-mono text-xs">
                {told}
              </pre>
            )}
          </td>
        </tr>
      )}
    </>
  );
}
