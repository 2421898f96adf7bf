import { SquarePen } from 'lucide-react';
import { useState } from 'react';
import type { Agent, AgentResponse } from '../../api/types';
import { t } from '../../strings';
import { IconButton } from '../../ui/button';
import { Sheet } from '../../ui/dialog';
import { Conversation } from '../chat/conversation';
import { PassagePane } from '../chat/passage';

/** A conversation beside the form, with the agent as it was last saved. */
export function TryIt({ agent }: { agent: Agent }) {
  const [threadId, setThreadId] = useState<number>();
  const [source, setSource] = useState<{ response: AgentResponse; number: number }>();
  const references = source?.response.response.references ?? [];
  const reference = references.find((r) => r.number === source?.number);
  const close = () => setSource(undefined);
  return (
    <>
      <header className="flex h-14 shrink-0 items-center gap-2 border-b border-line ps-4 pe-2">
        <div className="min-w-0 grow">
          <h2 className="font-semibold">{t.agents.tryIt}</h2>
          <p className="truncate text-xs text-muted">{t.agents.tryText}</p>
        </div>
        <IconButton label={t.chat.newThread} onClick={() => setThreadId(undefined)}>
          <SquarePen />
        </IconButton>
      </header>
      <Conversation agent={agent} threadId={threadId} onThread={setThreadId} onCite={(response, number) => setSource({ response, number })} />
      {source && reference && (
        <Sheet open onClose={close} title={t.chat.passageTitle} side="end">
          <PassagePane
            reference={reference}
            references={references}
            onGo={(number) => setSource({ response: source.response, number })}
            onClose={close}
          />
        </Sheet>
      )}
    </>
  );
}
