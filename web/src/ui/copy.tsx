import { Check, Copy } from 'lucide-react';
import { useEffect, useState } from 'react';
import { t } from '../strings';
import { Button, IconButton } from './button';

/** Copies a text; says so for two seconds. */
export function useCopy(): [boolean, (text: string) => void] {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return;
    const timer = setTimeout(() => setDone(false), 2000);
    return () => clearTimeout(timer);
  }, [done]);
  return [done, (text) => void write(text).then(() => setDone(true))];
}

async function write(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Pages over plain HTTP from another machine have no clipboard object.
  const area = document.createElement('textarea');
  area.value = text;
  area.style.position = 'fixed';
  document.body.append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
}

export function CopyIcon({ text, label }: { text: string; label: string }) {
  const [done, copy] = useCopy();
  return (
    <IconButton label={done ? t.common.copied : label} onClick={() => copy(text)}>
      {done ? <Check /> : <Copy />}
    </IconButton>
  );
}

export function CopyButton({ text }: { text: string }) {
  const [done, copy] = useCopy();
  return (
    <Button onClick={() => copy(text)}>
      {done ? <Check className="size-4" aria-hidden /> : <Copy className="size-4" aria-hidden />}
      <span aria-live="polite">{done ? t.common.copied : t.common.copy}</span>
    </Button>
  );
}
