import { type InfiniteData, keepPreviousData, useInfiniteQuery, type UseInfiniteQueryResult } from '@tanstack/react-query';
import { Fragment, type ReactNode, use } from 'react';
import { t } from '../strings';
import { Button } from './button';
import { Scroller } from './page';
import { useRows } from './rows';
import { EmptyState, ErrorLine, ErrorState, Skeleton } from './state';
import { Gap, Table, Th, wideOnly } from './table';

/** One page of a list, as the server answers it. */
export interface Part<T> {
  rows: T[] | null | undefined;
  pagination: { page: number; total: number; total_pages: number } | undefined;
}

export const partSize = 100; // rows asked for at once

/** A list of the server that is loaded part by part. */
export function useListing<T>(key: readonly unknown[], load: (page: number, signal: AbortSignal) => Promise<Part<T>>) {
  return useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam, signal }) => load(pageParam, signal),
    initialPageParam: 1,
    getNextPageParam: (last) =>
      last.pagination && last.pagination.page < last.pagination.total_pages ? last.pagination.page + 1 : undefined,
    placeholderData: keepPreviousData, // a search that narrows does not blink
  });
}

export interface Column {
  label: string;
  /** Left out on phones. */
  wide?: boolean;
  end?: boolean;
  /** Named for screen readers only. */
  quiet?: boolean;
}

type List<T> = UseInfiniteQueryResult<InfiniteData<Part<T>>>;

/** What was loaded of a list. */
export const rowsOf = <T,>(list: List<T>): T[] => list.data?.pages.flatMap((part) => part.rows ?? []) ?? [];

interface ListingProps<T> {
  list: List<T>;
  columns: Column[];
  id: (row: T) => number;
  /** One row of the table. */
  row: (row: T) => ReactNode;
  rowHeight?: number;
  /** Something is searched for, so that nothing found is not nothing there. */
  narrowed: boolean;
  noMatch: string;
  empty: { icon: ReactNode; title: string; text: string; action?: ReactNode };
  /** The fields above the table that narrow it. */
  filters?: ReactNode;
}

/** A list in all its states: coming, failed, empty, nothing found, long. */
export function Listing<T>({ list, columns, id, row, rowHeight = 45, narrowed, noMatch, empty, filters }: ListingProps<T>) {
  const scroller = use(Scroller);
  const rows = rowsOf(list);
  const { indexes, before, after } = useRows(rows.length, rowHeight, scroller);
  if (list.isPending) return <Skeleton />;
  if (list.error) return <ErrorState error={list.error} retry={() => void list.refetch()} />;
  if (rows.length === 0 && !narrowed) {
    return (
      <EmptyState icon={empty.icon} title={empty.title} text={empty.text}>
        {empty.action}
      </EmptyState>
    );
  }
  return (
    <>
      {filters && <div className="mb-3 flex flex-wrap items-center gap-2">{filters}</div>}
      {rows.length === 0 ? (
        <p className="py-8 text-center text-muted">{noMatch}</p>
      ) : (
        <Table>
          <thead>
            <tr>
              {columns.map((c) => (
                <Th key={c.label} end={c.end} className={c.wide ? wideOnly : undefined}>
                  {c.quiet ? <span className="sr-only">{c.label}</span> : c.label}
                </Th>
              ))}
            </tr>
          </thead>
          <tbody>
            <Gap height={before} columns={columns.length} />
            {indexes.map((i) => {
              const item = rows[i];
              return item === undefined ? null : <Fragment key={id(item)}>{row(item)}</Fragment>;
            })}
            <Gap height={after} columns={columns.length} />
          </tbody>
        </Table>
      )}
      {list.hasNextPage && (
        <div className="flex justify-center py-4">
          <Button onClick={() => void list.fetchNextPage()} disabled={list.isFetchingNextPage}>
            {t.common.loadMore}
          </Button>
        </div>
      )}
    </>
  );
}

interface ShortListProps<T> {
  list: List<T>;
  /** Lines that stand for it while it comes. */
  waiting?: number;
  /** Said when it is empty. */
  none?: string;
  children: (rows: T[]) => ReactNode;
}

/** A list within a page, in all its states. */
export function ShortList<T>({ list, waiting = 2, none, children }: ShortListProps<T>) {
  const rows = rowsOf(list);
  return (
    <>
      {list.isPending && <Skeleton rows={waiting} />}
      {list.error && <ErrorLine error={list.error} />}
      {list.data && rows.length === 0 && none !== undefined && <p className="text-muted">{none}</p>}
      {rows.length > 0 && children(rows)}
      {list.hasNextPage && (
        <Button small className="self-center" disabled={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          {t.common.loadMore}
        </Button>
      )}
    </>
  );
}
