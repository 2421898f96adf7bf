/** The heading under which a thread stands in the list. */
export type DateGroup = 'today' | 'yesterday' | 'week' | 'month' | 'older';

const day = 24 * 60 * 60 * 1000;

function midnight(at: Date): number {
  return new Date(at.getFullYear(), at.getMonth(), at.getDate()).getTime();
}

/** The group of a moment, by the calendar days of the viewer's time zone. */
export function dateGroup(at: Date, now: Date): DateGroup {
  // Rounded, because a day with a clock change is not 24 hours long.
  const days = Math.round((midnight(now) - midnight(at)) / day);
  if (days <= 0) return 'today';
  if (days === 1) return 'yesterday';
  if (days < 7) return 'week';
  if (days < 30) return 'month';
  return 'older';
}

/** Puts items, newest first, under their groups; empty groups are left out. */
export function byDateGroup<T>(items: readonly T[], when: (item: T) => string, now: Date): [DateGroup, T[]][] {
  const groups = new Map<DateGroup, T[]>();
  const sorted = [...items].sort((a, b) => when(b).localeCompare(when(a)));
  for (const item of sorted) {
    const group = dateGroup(new Date(when(item)), now);
    const list = groups.get(group);
    if (list) list.push(item);
    else groups.set(group, [item]);
  }
  return [...groups];
}

const units: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 365 * day],
  ['month', 30 * day],
  ['week', 7 * day],
  ['day', day],
  ['hour', 60 * 60 * 1000],
  ['minute', 60 * 1000],
];

/** A moment told from now, such as "3 hours ago"; within a minute it is "now". */
export function ago(at: Date, now: Date, locale?: string): string {
  const format = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
  const ms = at.getTime() - now.getTime();
  for (const [unit, length] of units) {
    if (Math.abs(ms) >= length) return format.format(Math.trunc(ms / length), unit);
  }
  return format.format(0, 'second');
}
