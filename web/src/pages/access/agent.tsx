import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { api, take } from '../../api/client';
import { keys, meQuery } from '../../api/queries';
import type { Agent } from '../../api/types';
import { t } from '../../strings';
import { p } from '../../strings.people';
import { Field, Select } from '../../ui/field';
import { partSize, rowsOf, ShortList, useListing } from '../../ui/listing';
import { say } from '../../ui/toast';
import { AddMembers, Members } from '../admin/members';
import { Reach } from './reach';

const roles = ['Admin', 'Member'] as const;

/** Who may use an agent and who may change it. Each change is saved at once. */
export default function AgentAccess({ agent, mayManage }: { agent: Agent; mayManage: boolean }) {
  const queryClient = useQueryClient();
  const navigate = useNavigate();
  const { data: me } = useQuery(meQuery);
  const path = { agent_id: agent.id };
  const users = useListing([...keys.agent(agent.id), 'users'], async (page, signal) => {
    const { users: rows, pagination } = await take(
      api.GET('/api/v2/agents/{agent_id}/users', { signal, params: { path, query: { page, page_size: partSize } } }),
    );
    return { rows, pagination };
  });
  const again = () => queryClient.invalidateQueries({ queryKey: keys.agent(agent.id) });
  const setAccess = useMutation({
    mutationFn: (access: Agent['access']) => api.PUT('/api/v2/agents/{agent_id}/access', { params: { path }, body: { access } }),
    onSuccess: async () => {
      await again();
      say(t.common.saved);
    },
  });
  const put = async (user_ids: number[], role: string) => {
    await api.POST('/api/v2/agents/{agent_id}/users', { params: { path }, body: { user_ids, role: role as 'Member' } });
    await again();
  };
  return (
    <section aria-labelledby="agent-access" className="flex flex-col gap-4 border-t border-line pt-6">
      <div>
        <h2 id="agent-access" className="font-medium">
          {p.access.title}
        </h2>
        <p className="text-xs text-muted">{p.access.hint}</p>
      </div>
      <Field label={p.access.level} hint={p.access.levelHint}>
        {(f) => (
          <Select
            {...f}
            value={agent.access}
            disabled={!mayManage || setAccess.isPending}
            onChange={(e) => setAccess.mutate(e.target.value as Agent['access'])}
          >
            {Object.entries(t.agents.access).map(([value, label]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </Select>
        )}
      </Field>
      <div className="flex items-end gap-2">
        <div className="grow">
          <h3 className="font-medium">{p.access.people}</h3>
          <p className="text-xs text-muted">{p.access.peopleHint}</p>
        </div>
        {mayManage && <AddMembers roles={roles} without={rowsOf(users).map((m) => m.user.id)} onAdd={put} />}
      </div>
      <ShortList list={users}>
        {(members) => (
          <Members
            members={members}
            roles={roles}
            mayManage={mayManage}
            me={me?.id}
            of={agent.agent_name}
            onRole={(id, role) => put([id], role)}
            onRemove={async (user_id) => {
              await api.DELETE('/api/v2/agents/{agent_id}/users/{user_id}', { params: { path: { ...path, user_id } } });
              if (user_id === me?.id) await navigate({ to: '/agents', ignoreBlocker: true });
              await queryClient.invalidateQueries({ queryKey: keys.agents });
            }}
          />
        )}
      </ShortList>
      {mayManage && (
        <div className="flex flex-col gap-3">
          <Reach
            queryKey={[...keys.agent(agent.id), 'rights']}
            load={async (action, page, signal) => {
              const { users: rows, pagination } = await take(
                api.GET('/api/v2/agents/{agent_id}/rights', { signal, params: { path, query: { action, page, page_size: partSize } } }),
              );
              return { rows, pagination };
            }}
          />
        </div>
      )}
    </section>
  );
}
