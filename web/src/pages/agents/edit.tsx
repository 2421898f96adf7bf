import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useBlocker, useNavigate, useParams } from '@tanstack/react-router';
import { ArrowLeft, MessageSquare, Trash2 } from 'lucide-react';
import { type FormEvent, lazy, Suspense, useState } from 'react';
import { api, take } from '../../api/client';
import { agentQuery, agentStartersQuery, keys } from '../../api/queries';
import type { Agent } from '../../api/types';
import { useMedia, useTitle } from '../../lib/hooks';
import { t } from '../../strings';
import { ts } from '../../strings.search';
import { Header } from '../../shell/header';
import { Button, buttonClass, IconButton } from '../../ui/button';
import { Confirm } from '../../ui/dialog';
import { ErrorLine, ErrorState, Skeleton } from '../../ui/state';
import { Tags } from '../../ui/tags';
import { say } from '../../ui/toast';
import { AgentFields, type Draft, draftOf, written } from './fields';
import { AgentKnowledge } from './knowledge';
import { TryIt } from './tryit';

const AgentAccess = lazy(() => import('../access/agent'));

/** Makes or changes one agent. */
export function AgentPage() {
  const { agentId } = useParams({ from: '/app/agents/$agentId' });
  if (agentId === 'new') return <Editor key="new" agent={undefined} starters={[]} />;
  return <Loaded key={agentId} id={Number(agentId)} />;
}

function Loaded({ id }: { id: number }) {
  const agent = useQuery(agentQuery(id));
  const starters = useQuery(agentStartersQuery(id));
  const error = agent.error ?? starters.error;
  if (error) {
    return (
      <main>
        <ErrorState error={error} retry={() => void Promise.all([agent.refetch(), starters.refetch()])} />
      </main>
    );
  }
  if (!agent.data || !starters.data) {
    return (
      <main className="p-6">
        <Skeleton />
      </main>
    );
  }
  return <Editor agent={agent.data} starters={starters.data.map((x) => x.question)} />;
}

function Editor({ agent, starters }: { agent: Agent | undefined; starters: string[] }) {
  useTitle(agent?.agent_name ?? t.agents.newTitle);
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const roomy = useMedia('(min-width: 1280px)');
  const [draft, setDraft] = useState<Draft>(() => draftOf(agent, starters));
  const [deleting, setDeleting] = useState(false);
  const [leaving, setLeaving] = useState(false);
  const asked = written(draft.starters);
  const reworded = JSON.stringify(asked) !== JSON.stringify(starters);
  const changed = reworded || JSON.stringify({ ...draft, starters }) !== JSON.stringify(draftOf(agent, starters));
  const mayEdit = agent === undefined || agent.can_edit !== false;

  const save = useMutation({
    mutationFn: async () => {
      const { agent_name, starters: questions, ...rest } = draft;
      const body = { ...rest, name: agent_name.trim() };
      const saved = await take(
        agent ? api.PUT('/api/v2/agents/{agent_id}', { params: { path: { agent_id: agent.id } }, body }) : api.POST('/api/v2/agents', { body }),
      );
      if (reworded) await api.PUT('/api/v2/agents/{agent_id}/conversation-starters', { params: { path: { agent_id: saved.id } }, body: { questions: written(questions) } });
      return saved;
    },
    meta: { ownError: true },
    onSuccess: async (saved) => {
      queryClient.setQueryData(keys.agent(saved.id), saved);
      queryClient.setQueryData(
        keys.agentStarters(saved.id),
        asked.map((question) => ({ id: null, question, created_by: '', created_on: '' })),
      );
      setDraft(draftOf(saved, asked));
      await queryClient.invalidateQueries({ queryKey: keys.agents, exact: true });
      if (agent) say(t.common.saved);
      else {
        setLeaving(true);
        await navigate({ to: '/agents/$agentId', params: { agentId: String(saved.id) }, replace: true, ignoreBlocker: true });
      }
    },
  });
  const blocker = useBlocker({
    shouldBlockFn: () => changed && !leaving,
    enableBeforeUnload: () => changed && !leaving,
    withResolver: true,
  });

  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (draft.agent_name.trim()) save.mutate();
  };
  return (
    <div className="flex min-h-0 grow">
      <main className="flex min-h-0 min-w-0 grow flex-col">
        <Header
          before={
            <Link to="/agents" aria-label={`${t.common.back}: ${t.agents.title}`} className="-ms-2 rounded-md p-2 text-muted hover:bg-hover">
              <ArrowLeft className="size-4 rtl:rotate-180" aria-hidden />
            </Link>
          }
          title={<bdi>{agent?.agent_name ?? t.agents.newTitle}</bdi>}
        >
          {agent && !roomy && (
            <Link to="/chat/$agentId" params={{ agentId: String(agent.id) }} className={buttonClass('quiet')}>
              <MessageSquare className="size-4" aria-hidden />
              {t.agents.ask}
            </Link>
          )}
          {agent && mayEdit && (
            <IconButton label={t.agents.deleteDo} onClick={() => setDeleting(true)}>
              <Trash2 />
            </IconButton>
          )}
        </Header>
        <div className="min-h-0 grow overflow-y-auto">
          <div className="mx-auto flex max-w-2xl flex-col gap-8 px-4 py-6 lg:px-6">
            {!mayEdit && <p className="rounded-md bg-hover px-3 py-2 text-muted">{t.agents.readOnly}</p>}
            <form id="agent" onSubmit={submit}>
              <fieldset disabled={!mayEdit} className="flex flex-col gap-5">
                <AgentFields draft={draft} onChange={setDraft} error={save.error} fresh={!agent} />
              </fieldset>
            </form>
            {agent ? (
              <>
                <section aria-labelledby="agent-tags" className="flex flex-col gap-3 border-t border-line pt-6">
                  <h2 id="agent-tags" className="font-medium">
                    {ts.tags.title}
                  </h2>
                  <Tags
                    tags={agent.tags}
                    mayEdit={mayEdit}
                    save={async (change) => {
                      const tagged = await take(api.PUT('/api/v2/agents/{agent_id}/tags', { params: { path: { agent_id: agent.id } }, body: change }));
                      queryClient.setQueryData(keys.agent(agent.id), tagged);
                      await queryClient.invalidateQueries({ queryKey: keys.agents, exact: true });
                    }}
                  />
                </section>
                <AgentKnowledge agentId={agent.id} mayEdit={mayEdit} />
                <Suspense fallback={<Skeleton rows={2} />}>
                  <AgentAccess agent={agent} mayManage={mayEdit} />
                </Suspense>
              </>
            ) : (
              <p className="text-muted">{t.agents.afterCreate}</p>
            )}
          </div>
        </div>
        {mayEdit && (
          <footer className="shrink-0 border-t border-line bg-bg py-3">
            <div className="mx-auto flex w-full max-w-2xl flex-wrap items-center justify-end gap-2 px-4 lg:px-6">
              {save.error && <ErrorLine error={save.error} className="w-full" />}
              {changed && agent && <span className="me-auto text-muted">{t.agents.unsaved}</span>}
              {changed && agent && <Button onClick={() => setDraft(draftOf(agent, starters))}>{t.common.discard}</Button>}
              <Button form="agent" type="submit" look="primary" disabled={!changed || !draft.agent_name.trim() || save.isPending}>
                {save.isPending ? t.common.saving : agent ? t.common.save : t.agents.createDo}
              </Button>
            </div>
          </footer>
        )}
      </main>
      {roomy && agent && (
        <aside aria-label={t.agents.tryIt} className="flex w-[28rem] shrink-0 flex-col border-s border-line">
          <TryIt agent={agent} />
        </aside>
      )}
      <Confirm
        open={blocker.status === 'blocked'}
        onClose={() => blocker.reset?.()}
        title={t.agents.leaveTitle}
        text={t.agents.leaveText}
        verb={t.agents.leaveDo}
        act={() => Promise.resolve(blocker.proceed?.())}
      />
      {agent && (
        <Confirm
          open={deleting}
          onClose={() => setDeleting(false)}
          title={t.agents.deleteTitle(agent.agent_name)}
          text={t.agents.deleteText}
          verb={t.agents.deleteDo}
          act={async () => {
            await api.DELETE('/api/v2/agents/{agent_id}', { params: { path: { agent_id: agent.id } } });
            setLeaving(true);
            await navigate({ to: '/agents', ignoreBlocker: true });
            queryClient.removeQueries({ queryKey: keys.agent(agent.id) });
            await queryClient.invalidateQueries({ queryKey: keys.agents, exact: true });
          }}
        />
      )}
    </div>
  );
}
