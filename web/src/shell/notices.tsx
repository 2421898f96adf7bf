import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useRouter } from '@tanstack/react-router';
import { BellOff, CircleCheck, CircleX, Info, TriangleAlert } from 'lucide-react';
import { api, take } from '../api/client';
import { keys, meQuery } from '../api/queries';
import type { Notice } from '../api/types';
import { host } from '../lib/format';
import { t } from '../strings';
import { Button } from '../ui/button';
import { cx } from '../ui/cx';
import { EmptyState, ErrorState, Skeleton } from '../ui/state';
import { Time } from '../ui/time';

const icons = { info: Info, success: CircleCheck, warning: TriangleAlert, error: CircleX };
const tones = { info: 'text-muted', success: 'text-ok', warning: 'text-warn', error: 'text-danger' };

/** The newest notifications. Opening one reads it. */
export default function Notices({ unread, onUnread, onClose }: { unread: number; onUnread: (unread: number) => void; onClose: () => void }) {
  const queryClient = useQueryClient();
  const { data: me } = useQuery(meQuery);
  const list = useInfiniteQuery({
    queryKey: keys.notices,
    queryFn: ({ pageParam, signal }) =>
      take(api.GET('/api/v2/notifications', { signal, params: { query: { page: pageParam, page_size: 20 } } })),
    initialPageParam: 1,
    getNextPageParam: (last) => (last.pagination.page < last.pagination.total_pages ? last.pagination.page + 1 : undefined),
  });
  const again = () => queryClient.invalidateQueries({ queryKey: keys.notices });
  const readAll = useMutation({
    mutationFn: () => api.PUT('/api/v2/users/{user_id}/notifications', { params: { path: { user_id: me?.id ?? 0 } }, body: {} }),
    onSuccess: () => {
      onUnread(0);
      return again();
    },
  });
  const mark = useMutation({
    mutationFn: ({ n, read }: { n: Notice; read: boolean }) =>
      api.PUT('/api/v2/notifications/{notification_id}', { params: { path: { notification_id: n.id } }, body: { is_read: read } }),
    onSuccess: (_, { n, read }) => {
      if (n.is_read !== read) onUnread(Math.max(0, unread + (read ? -1 : 1)));
      return again();
    },
  });
  const rows = list.data?.pages.flatMap((x) => x.notifications ?? []) ?? [];
  return (
    <>
      <header className="flex h-12 shrink-0 items-center gap-2 border-b border-line ps-4 pe-2">
        <h2 className="grow font-semibold">{t.notices.title}</h2>
        {unread > 0 && (
          <Button small look="quiet" disabled={readAll.isPending} onClick={() => readAll.mutate()}>
            {t.notices.readAll}
          </Button>
        )}
      </header>
      <div className="min-h-0 overflow-y-auto">
        {list.isPending && <Skeleton rows={3} className="p-4" />}
        {list.error && <ErrorState error={list.error} retry={() => void list.refetch()} />}
        {list.data && rows.length === 0 && <EmptyState icon={<BellOff aria-hidden />} title={t.notices.empty} text={t.notices.emptyText} />}
        <ul className="divide-y divide-line">
          {rows.map((n) => (
            <One key={n.id} notice={n} onRead={(read) => mark.mutate({ n, read })} onClose={onClose} />
          ))}
        </ul>
        {list.hasNextPage && (
          <div className="flex justify-center p-2">
            <Button small look="quiet" disabled={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
              {t.common.loadMore}
            </Button>
          </div>
        )}
      </div>
    </>
  );
}

function One({ notice: n, onRead, onClose }: { notice: Notice; onRead: (read: boolean) => void; onClose: () => void }) {
  const router = useRouter();
  const Icon = icons[n.level];
  const here = n.link.startsWith('/');
  const open = () => {
    if (!n.is_read) onRead(true);
    if (!here) return;
    onClose();
    router.history.push(n.link);
  };
  return (
    <li className={cx('flex gap-3 px-4 py-3', !n.is_read && 'bg-accent-soft/40')}>
      <Icon className={cx('mt-0.5 size-4 shrink-0', tones[n.level])} aria-hidden />
      <div className="min-w-0 grow">
        <p className="flex items-baseline gap-2">
          <bdi className={cx('min-w-0 grow', !n.is_read && 'font-medium')}>{n.title}</bdi>
          <span className="shrink-0 text-xs text-muted">
            <Time at={n.created_on} />
          </span>
        </p>
        <p className="mt-0.5 whitespace-pre-line text-muted">{n.message}</p>
        <div className="-ms-2 mt-1 flex flex-wrap">
          {n.link &&
            (here ? (
              <Button small look="quiet" className="text-accent" onClick={open}>
                {t.notices.open}
              </Button>
            ) : (
              <a
                href={n.link}
                target="_blank"
                rel="noopener noreferrer"
                onClick={open}
                className="inline-flex h-8 items-center rounded-md px-2.5 text-[0.8125rem] font-medium text-accent hover:bg-hover"
              >
                {t.notices.openAt(host(n.link))}
              </a>
            ))}
          <Button
            small
            look="quiet"
            className="text-muted"
            aria-label={`${n.is_read ? t.notices.markUnread : t.notices.markRead}: ${n.title}`}
            onClick={() => onRead(!n.is_read)}
          >
            {n.is_read ? t.notices.markUnread : t.notices.markRead}
          </Button>
        </div>
      </div>
    </li>
  );
}
