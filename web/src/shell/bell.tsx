import { useQueryClient } from '@tanstack/react-query';
import { Bell as BellIcon } from 'lucide-react';
import { Popover } from 'radix-ui';
import { lazy, Suspense, useEffect, useState } from 'react';
import { keys } from '../api/queries';
import { useWide } from '../lib/hooks';
import { followNotices } from '../lib/notices';
import { t } from '../strings';
import { Skeleton } from '../ui/state';

const Notices = lazy(() => import('./notices'));

/** How many notifications wait, live, and the pane that lists them. */
export function Bell() {
  const queryClient = useQueryClient();
  const [unread, setUnread] = useState(0);
  const [open, setOpen] = useState(false);
  const wide = useWide();
  useEffect(
    () => followNotices(setUnread, () => void queryClient.invalidateQueries({ queryKey: keys.notices })),
    [queryClient],
  );
  return (
    <Popover.Root open={open} onOpenChange={setOpen}>
      <Popover.Trigger asChild>
        <button
          type="button"
          aria-label={unread > 0 ? t.notices.some(unread) : t.notices.title}
          title={t.notices.title}
          className="relative inline-flex size-10 shrink-0 items-center justify-center rounded-md text-muted transition-colors hover:bg-hover hover:text-text [&_svg]:size-5"
        >
          <BellIcon aria-hidden />
          {unread > 0 && (
            <span
              aria-hidden
              className="absolute end-1 top-1 min-w-4 rounded-full bg-accent px-1 text-center text-[0.625rem]/4 font-semibold text-on-accent tabular-nums"
            >
              {unread > 99 ? '99+' : unread}
            </span>
          )}
        </button>
      </Popover.Trigger>
      <span role="status" className="sr-only">
        {unread > 0 ? t.notices.some(unread) : ''}
      </span>
      <Popover.Portal>
        <Popover.Content
          side={wide ? 'right' : 'top'}
          align="end"
          sideOffset={8}
          collisionPadding={8}
          aria-label={t.notices.title}
          className="float-in z-40 flex max-h-[min(32rem,var(--radix-popover-content-available-height))] w-[min(24rem,calc(100vw-1rem))] flex-col rounded-lg border border-line bg-raised shadow-float focus:outline-none"
        >
          <Suspense fallback={<Skeleton rows={3} className="p-4" />}>
            <Notices unread={unread} onUnread={setUnread} onClose={() => setOpen(false)} />
          </Suspense>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
