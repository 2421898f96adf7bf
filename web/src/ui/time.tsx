import { ago } from '../lib/dates';
import { useNow } from '../lib/hooks';
import { t } from '../strings';

/** A moment told from now, with the exact one on hover. */
export function Time({ at }: { at: string | null | undefined }) {
  const now = useNow();
  if (!at) return <span className="text-muted">{t.keys.never}</span>;
  const date = new Date(at);
  return (
    <time dateTime={at} title={date.toLocaleString()} className="whitespace-nowrap">
      {ago(date, now)}
    </time>
  );
}
