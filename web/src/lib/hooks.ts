import { useEffect, useState, useSyncExternalStore } from 'react';

/** Says whether a media query holds now. */
export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (changed) => {
      const list = window.matchMedia(query);
      list.addEventListener('change', changed);
      return () => list.removeEventListener('change', changed);
    },
    () => window.matchMedia(query).matches,
  );
}

/** Wide enough for panes side by side. */
export const useWide = () => useMedia('(min-width: 1024px)');

/** The time, told again each minute, for relative dates. */
export function useNow(): Date {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    const timer = setInterval(() => setNow(new Date()), 60_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

/** Names the page in the tab and in the history. */
export function useTitle(title: string | undefined): void {
  useEffect(() => {
    document.title = title ? `${title} · Atrium` : 'Atrium';
  }, [title]);
}

/** A value that follows another after a pause, for searches while typing. */
export function usePaused<T>(value: T, ms = 200): T {
  const [paused, setPaused] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setPaused(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return paused;
}

/** Runs f on a key press anywhere; f decides by the event. */
export function useKeys(f: (e: KeyboardEvent) => void): void {
  useEffect(() => {
    window.addEventListener('keydown', f);
    return () => window.removeEventListener('keydown', f);
  }, [f]);
}

/** Says whether a key press belongs to a field that the person types in. */
export function typing(e: KeyboardEvent): boolean {
  const el = e.target as HTMLElement | null;
  return !!el && (el.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(el.tagName));
}
