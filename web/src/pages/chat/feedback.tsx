import { useMutation } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { api } from '../../api/client';
import type { AgentResponse } from '../../api/types';
import { t } from '../../strings';
import { Button } from '../../ui/button';
import { Field, Textarea } from '../../ui/field';
import { ErrorLine } from '../../ui/state';
import { say } from '../../ui/toast';

export type Vote = 'up' | 'down';

/** One's own vote on an answer; shown at once, taken back when the server refuses it. */
export function useVote(stored: AgentResponse) {
  const first = stored.feedback?.[0];
  const [chosen, setChosen] = useState<Vote>();
  const [asking, setAsking] = useState<Vote>();
  const save = useMutation({
    mutationFn: (value: Vote) =>
      api.POST('/api/v2/agent-responses/{agent_response_id}/feedbacks', {
        params: { path: { agent_response_id: stored.id } },
        body: { vote_type: value === 'up' ? 'upvote' : 'downvote' },
      }),
    onError: () => {
      setChosen(undefined);
      setAsking(undefined);
    },
  });
  const value: Vote | undefined = chosen ?? (first?.is_upvote ? 'up' : first?.is_downvote ? 'down' : undefined);
  return {
    value,
    asking,
    close: () => setAsking(undefined),
    cast: (v: Vote) => {
      setAsking(v);
      if (v === value) return;
      setChosen(v);
      save.mutate(v);
    },
  };
}

/** Asks why, after a vote. Saying nothing is fine. */
export function Feedback({ responseId, value, onClose }: { responseId: number; value: Vote; onClose: () => void }) {
  const [text, setText] = useState('');
  const save = useMutation({
    mutationFn: () =>
      api.POST('/api/v2/agent-responses/{agent_response_id}/comments', {
        params: { path: { agent_response_id: responseId } },
        body: { comment: text.trim() },
      }),
    meta: { ownError: true },
    onSuccess: () => {
      onClose();
      say(t.chat.voteThanks);
    },
  });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (text.trim()) save.mutate();
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-2 rounded-lg border border-line bg-sunken p-3">
      <Field label={value === 'up' ? t.chat.voteTitleUp : t.chat.voteTitle} hint={t.chat.voteHint}>
        {(f) => <Textarea {...f} autoFocus value={text} onChange={(e) => setText(e.target.value)} />}
      </Field>
      {save.error && <ErrorLine error={save.error} />}
      <div className="flex justify-end gap-2">
        <Button small onClick={onClose}>
          {t.chat.voteSkip}
        </Button>
        <Button small look="primary" type="submit" disabled={!text.trim() || save.isPending}>
          {t.chat.voteSend}
        </Button>
      </div>
    </form>
  );
}
