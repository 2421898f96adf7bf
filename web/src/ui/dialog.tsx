import { X } from 'lucide-react';
import { AlertDialog, Dialog as Base } from 'radix-ui';
import { type ReactNode, useState } from 'react';
import { t } from '../strings';
import { Button, IconButton } from './button';
import { cx } from './cx';
import { ErrorLine } from './state';

const overlay = 'fade-in fixed inset-0 z-40 bg-black/40';
const panel =
  'float-in fixed inset-x-0 top-[12vh] z-50 mx-auto flex max-h-[76vh] w-[calc(100%-2rem)] max-w-md flex-col rounded-lg border border-line bg-raised shadow-float focus:outline-none';

/** A dialog over the page. Esc and a press outside close it. */
export function Dialog({
  open,
  onClose,
  title,
  hint,
  wide,
  children,
}: {
  open: boolean;
  onClose: () => void;
  title: string;
  hint?: string;
  wide?: boolean;
  children: ReactNode;
}) {
  return (
    <Base.Root open={open} onOpenChange={(o) => !o && onClose()}>
      <Base.Portal>
        <Base.Overlay className={overlay} />
        <Base.Content onInteractOutside={keepForToasts} className={cx(panel, wide && 'max-w-2xl')} {...(hint ? {} : { 'aria-describedby': undefined })}>
          <header className="flex items-start gap-2 px-5 pt-4">
            <div className="min-w-0 grow">
              <Base.Title className="text-base font-semibold">{title}</Base.Title>
              {hint && <Base.Description className="mt-1 text-muted">{hint}</Base.Description>}
            </div>
            <Base.Close asChild>
              <IconButton label={t.common.close} className="-me-2 -mt-1">
                <X />
              </IconButton>
            </Base.Close>
          </header>
          <div className="min-h-0 overflow-y-auto px-5 pt-4 pb-5">{children}</div>
        </Base.Content>
      </Base.Portal>
    </Base.Root>
  );
}

/** Asks before something is lost. act may fail: its message is shown and nothing closes. */
export function Confirm({
  open,
  onClose,
  title,
  text,
  verb,
  act,
}: {
  open: boolean;
  onClose: () => void;
  title: string;
  text: string;
  verb: string;
  act: () => Promise<unknown>;
}) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const close = () => {
    setError(undefined);
    onClose();
  };
  const run = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await act();
      close();
    } catch (e) {
      setError(e);
    } finally {
      setBusy(false);
    }
  };
  return (
    <AlertDialog.Root open={open} onOpenChange={(o) => !o && close()}>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className={overlay} />
        <AlertDialog.Content className={cx(panel, 'p-5')}>
          <AlertDialog.Title className="text-base font-semibold">{title}</AlertDialog.Title>
          <AlertDialog.Description className="mt-2 text-muted">{text}</AlertDialog.Description>
          {error !== undefined && <ErrorLine error={error} className="mt-3" />}
          <div className="mt-5 flex justify-end gap-2">
            <AlertDialog.Cancel asChild>
              <Button>{t.common.cancel}</Button>
            </AlertDialog.Cancel>
            <Button look="danger" disabled={busy} onClick={() => void run()}>
              {verb}
            </Button>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}

/** Undo and the like stand over everything: pressing them closes nothing beneath. */
function keepForToasts(e: CustomEvent<{ originalEvent: Event }>): void {
  const pressed = e.target as HTMLElement | null;
  // By the time this is told, what was pressed may have gone with its message.
  if (!pressed?.isConnected || pressed.closest('[data-toasts]')) e.preventDefault();
}

/** A pane that slides over the page from one side, for narrow screens. */
export function Sheet({
  open,
  onClose,
  title,
  side,
  children,
}: {
  open: boolean;
  onClose: () => void;
  title: string;
  side: 'start' | 'end';
  children: ReactNode;
}) {
  return (
    <Base.Root open={open} onOpenChange={(o) => !o && onClose()}>
      <Base.Portal>
        <Base.Overlay className={overlay} />
        <Base.Content
          aria-describedby={undefined}
          tabIndex={-1}
          onInteractOutside={keepForToasts}
          // The first button may be a disabled one or open a tip: the pane itself is a calmer start.
          onOpenAutoFocus={(e) => {
            e.preventDefault();
            (e.currentTarget as HTMLElement | null)?.focus();
          }}
          className={cx(
            'fade-in fixed inset-y-0 z-50 flex flex-col bg-bg shadow-float focus:outline-none',
            side === 'start' ? 'start-0 w-[min(20rem,88vw)]' : 'end-0 w-[min(30rem,100vw)]',
          )}
        >
          <Base.Title className="sr-only">{title}</Base.Title>
          {children}
        </Base.Content>
      </Base.Portal>
    </Base.Root>
  );
}
