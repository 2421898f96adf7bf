import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Plus, X } from 'lucide-react';
import { api } from '../../api/client';
import { agentCorporaQuery, corporaQuery, keys } from '../../api/queries';
import { t } from '../../strings';
import { Button, IconButton } from '../../ui/button';
import { Menu, MenuItem } from '../../ui/menu';
import { ErrorLine, Skeleton } from '../../ui/state';
import { Switch } from '../../ui/switch';

/** The corpora that an agent answers from. Each change is saved at once. */
export function AgentKnowledge({ agentId, mayEdit }: { agentId: number; mayEdit: boolean }) {
  const queryClient = useQueryClient();
  const connected = useQuery(agentCorporaQuery(agentId));
  const { data: corpora } = useQuery(corporaQuery);
  const onSuccess = () => queryClient.invalidateQueries({ queryKey: keys.agentCorpora(agentId) });
  const path = (corpusId: number) => ({ params: { path: { agent_id: agentId, corpus_id: corpusId } } });
  const connect = useMutation({
    mutationFn: (id: number) => api.POST('/api/v2/agents/{agent_id}/corpora/{corpus_id}', { ...path(id), body: {} }),
    onSuccess,
  });
  const enable = useMutation({
    mutationFn: ({ id, on }: { id: number; on: boolean }) =>
      api.PUT('/api/v2/agents/{agent_id}/corpora/{corpus_id}', { ...path(id), body: { is_enabled: on } }),
    onSuccess,
  });
  const disconnect = useMutation({
    mutationFn: (id: number) => api.DELETE('/api/v2/agents/{agent_id}/corpora/{corpus_id}', path(id)),
    onSuccess,
  });
  const busy = connect.isPending || enable.isPending || disconnect.isPending;
  const known = new Set(connected.data?.map((c) => c.corpus.id));
  const free = (corpora ?? []).filter((c) => !known.has(c.id) && c.corpus_type !== 'attachment');
  return (
    <section aria-labelledby="agent-knowledge" className="flex flex-col gap-3 border-t border-line pt-6">
      <div className="flex items-center gap-2">
        <div className="min-w-0 grow">
          <h2 id="agent-knowledge" className="font-medium">
            {t.agents.knowledge}
          </h2>
          <p className="text-xs text-muted">{t.agents.knowledgeHint}</p>
        </div>
        {mayEdit && (
          <Menu
            trigger={
              <Button small disabled={busy}>
                <Plus className="size-4" aria-hidden />
                {t.agents.connect}
              </Button>
            }
          >
            <div className="max-h-72 max-w-80 overflow-y-auto">
              {free.length === 0 && <p className="px-2 py-1.5 text-muted">{t.agents.connectNone}</p>}
              {free.map((c) => (
                <MenuItem key={c.id} onSelect={() => connect.mutate(c.id)}>
                  <span className="truncate">{c.name}</span>
                </MenuItem>
              ))}
            </div>
          </Menu>
        )}
      </div>
      {connected.isPending && <Skeleton rows={2} />}
      {connected.error && <ErrorLine error={connected.error} />}
      {connected.data?.length === 0 && <p className="text-muted">{t.agents.knowledgeEmpty}</p>}
      {(connected.data?.length ?? 0) > 0 && (
        <ul className="divide-y divide-line rounded-md border border-line">
          {connected.data?.map(({ corpus, is_enabled, is_default }) => (
            <li key={corpus.id} className="flex min-h-11 items-center gap-3 py-1 ps-3 pe-1">
              <Switch
                on={is_enabled}
                disabled={!mayEdit || busy}
                label={t.agents.enable(corpus.name)}
                onChange={(on) => enable.mutate({ id: corpus.id, on })}
              />
              <Link to="/knowledge/$corpusId" params={{ corpusId: String(corpus.id) }} className="min-w-0 truncate hover:underline">
                <bdi>{corpus.name}</bdi>
              </Link>
              {is_default && <span className="text-xs text-muted">{t.agents.default}</span>}
              {mayEdit && (
                <IconButton label={t.agents.disconnect(corpus.name)} disabled={busy} className="ms-auto" onClick={() => disconnect.mutate(corpus.id)}>
                  <X />
                </IconButton>
              )}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
