import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { Bot, Plus } from 'lucide-react';
import { agentsQuery } from '../../api/queries';
import type { Agent } from '../../api/types';
import { useTitle } from '../../lib/hooks';
import { t } from '../../strings';
import { Header } from '../../shell/header';
import { buttonClass } from '../../ui/button';
import { SearchInput } from '../../ui/field';
import { Badge, EmptyState, ErrorState, Skeleton } from '../../ui/state';
import { AgentFace } from '../chat/face';

/** The gallery of all agents that the person may use. */
export function AgentsPage() {
  useTitle(t.agents.title);
  const agents = useQuery(agentsQuery);
  const { q } = useSearch({ from: '/app/agents' });
  const navigate = useNavigate();
  const words = (q ?? '').toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const found = (agents.data ?? []).filter((a) => {
    const text = `${a.agent_name} ${a.description} ${(a.tags ?? []).join(' ')}`.toLocaleLowerCase();
    return words.every((w) => text.includes(w));
  });
  return (
    <main className="flex min-h-0 grow flex-col">
      <Header title={t.agents.title}>
        <Link to="/agents/$agentId" params={{ agentId: 'new' }} className={buttonClass('primary')}>
          <Plus className="size-4" aria-hidden />
          {t.agents.create}
        </Link>
      </Header>
      <div className="min-h-0 grow overflow-y-auto">
        <div className="mx-auto max-w-6xl px-4 py-5 lg:px-6">
          {agents.isPending && <Skeleton row="h-24" rows={3} />}
          {agents.error && <ErrorState error={agents.error} retry={() => void agents.refetch()} />}
          {agents.data?.length === 0 && (
            <EmptyState icon={<Bot aria-hidden />} title={t.agents.empty} text={t.agents.emptyText}>
              <Link to="/agents/$agentId" params={{ agentId: 'new' }} className={buttonClass('primary')}>
                {t.agents.create}
              </Link>
            </EmptyState>
          )}
          {(agents.data?.length ?? 0) > 0 && (
            <>
              <SearchInput
                label={t.agents.search}
                value={q ?? ''}
                onChange={(e) => void navigate({ to: '/agents', search: { q: e.target.value || undefined }, replace: true })}
                className="mb-4 sm:max-w-xs"
              />
              {found.length === 0 && <p className="py-8 text-center text-muted">{t.agents.noMatch}</p>}
              <ul className="grid grid-cols-[repeat(auto-fill,minmax(min(20rem,100%),1fr))] gap-3">
                {found.map((a) => (
                  <Card key={a.id} agent={a} />
                ))}
              </ul>
            </>
          )}
        </div>
      </div>
    </main>
  );
}

function Card({ agent: a }: { agent: Agent }) {
  const agentId = String(a.id);
  return (
    <li className="flex flex-col gap-3 rounded-lg border border-line bg-raised p-4 [contain-intrinsic-size:auto_9rem] [content-visibility:auto]">
      <div className="flex items-start gap-3">
        <AgentFace agent={a} />
        <div className="min-w-0 grow">
          <h2 className="truncate font-semibold" title={a.agent_name}>
            <bdi>{a.agent_name}</bdi>
          </h2>
          <p className="truncate text-xs text-muted">
            {[a.user?.email, t.agents.access[a.access]?.split(':')[0]].filter(Boolean).join(' · ')}
          </p>
        </div>
        {a.status === 'Inactive' && <Badge>{t.agents.inactive}</Badge>}
      </div>
      <p className="line-clamp-2 min-h-10 text-muted">{a.description || t.agents.noDescription}</p>
      <div className="mt-auto flex gap-2">
        <Link to="/chat/$agentId" params={{ agentId }} aria-label={`${t.agents.ask}: ${a.agent_name}`} className={buttonClass('plain', true)}>
          {t.agents.ask}
        </Link>
        <Link to="/agents/$agentId" params={{ agentId }} aria-label={`${t.agents.edit}: ${a.agent_name}`} className={buttonClass('quiet', true)}>
          {t.agents.edit}
        </Link>
      </div>
    </li>
  );
}
