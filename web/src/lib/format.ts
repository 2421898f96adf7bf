const steps = ['byte', 'kilobyte', 'megabyte', 'gigabyte'] as const;

/** A size in bytes with at most one decimal, in the viewer's locale. */
export function bytes(n: number, locale?: string): string {
  let unit = 0;
  while (n >= 1000 && unit < steps.length - 1) {
    n /= 1000;
    unit++;
  }
  return new Intl.NumberFormat(locale, {
    style: 'unit',
    unit: steps[unit],
    unitDisplay: unit === 0 ? 'long' : 'short',
    maximumFractionDigits: unit === 0 || n >= 100 ? 0 : 1,
  }).format(n);
}

/** A whole number with its group separators. */
export function count(n: number): string {
  return new Intl.NumberFormat().format(n);
}

/** A time span in milliseconds, such as "12 ms", "1.8 s" or "2 min 5 s". */
export function span(ms: number): string {
  if (ms < 1000) return `${Math.max(1, Math.round(ms))} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** The host of an address, or the text itself when it is none. */
export function host(url: string): string {
  try {
    return new URL(url).host || url;
  } catch {
    return url;
  }
}
