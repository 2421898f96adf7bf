import type { Agent } from '../../api/types';
import { cx } from '../../ui/cx';

/** The agent's picture, or its first letter. Only pictures of this server are shown. */
export function AgentFace({ agent, small }: { agent: Pick<Agent, 'agent_name' | 'agent_image'>; small?: boolean }) {
  const size = small ? 'size-6 rounded text-xs' : 'size-10 rounded-lg text-base';
  const own = agent.agent_image && /^(\/(?!\/)|data:image\/)/.test(agent.agent_image);
  if (own) return <img src={agent.agent_image ?? ''} alt="" className={cx('shrink-0 object-cover', size)} />;
  return (
    <span aria-hidden className={cx('inline-flex shrink-0 items-center justify-center bg-accent-soft font-semibold text-accent uppercase', size)}>
      {[...agent.agent_name.trim()][0] ?? '?'}
    </span>
  );
}
