import type { ComponentProps } from 'react';
import { cx } from './cx';

/** A dense table; rare columns are left out on phones by class `wide`. */
export function Table({ className, ...rest }: ComponentProps<'table'>) {
  return <table className={cx('w-full border-collapse text-start', className)} {...rest} />;
}

export function Th({ className, end, ...rest }: ComponentProps<'th'> & { end?: boolean }) {
  return (
    <th
      scope="col"
      className={cx('sticky top-0 z-10 h-9 border-b border-line bg-bg px-2 text-xs font-medium whitespace-nowrap text-muted', end ? 'text-end' : 'text-start', className)}
      {...rest}
    />
  );
}

export function Td({ className, ...rest }: ComponentProps<'td'>) {
  return <td className={cx('h-11 border-b border-line px-2 py-1.5', className)} {...rest} />;
}

/** The class of columns that phones do without. */
export const wideOnly = 'max-md:hidden';

/** Empty rows in place of those that are out of view. */
export function Gap({ height, columns }: { height: number; columns: number }) {
  if (height <= 0) return null;
  return (
    <tr aria-hidden>
      <td colSpan={columns} style={{ height, padding: 0 }} />
    </tr>
  );
}
