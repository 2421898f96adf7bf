import { useVirtualizer } from '@tanstack/react-virtual';
import type { RefObject } from 'react';

const drawAll = 200; // rows up to which a list is simply drawn

/** Which rows of a long table to draw, and the heights of what stands before and after them. */
export function useRows(count: number, height: number, scroller: RefObject<HTMLElement | null>) {
  const long = count > drawAll;
  // eslint-disable-next-line react-hooks/incompatible-library -- its changing functions are not passed on
  const virtual = useVirtualizer({
    count: long ? count : 0,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    overscan: 12,
  });
  if (!long) return { indexes: Array.from({ length: count }, (_, i) => i), before: 0, after: 0 };
  const items = virtual.getVirtualItems();
  return {
    indexes: items.map((i) => i.index),
    before: items[0]?.start ?? 0,
    after: virtual.getTotalSize() - (items.at(-1)?.end ?? 0),
  };
}
