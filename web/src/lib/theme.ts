/** What the person chose; system follows the machine. */
export type Theme = 'light' | 'dark' | 'system';

const key = 'atrium.theme';
const dark = () => window.matchMedia('(prefers-color-scheme: dark)');

/** The kept choice; system when there is none. */
export function theme(): Theme {
  try {
    const kept = localStorage.getItem(key);
    return kept === 'light' || kept === 'dark' ? kept : 'system';
  } catch {
    return 'system';
  }
}

/** Keeps a choice and shows it. public/theme.js does the same before the first paint. */
export function setTheme(choice: Theme): void {
  try {
    localStorage.setItem(key, choice);
  } catch {
    // The choice then lasts as long as the page.
  }
  apply(choice);
}

/** Follows the machine while the choice is system. */
export function followSystem(): void {
  dark().addEventListener('change', () => apply(theme()));
}

function apply(choice: Theme): void {
  const isDark = choice === 'dark' || (choice === 'system' && dark().matches);
  document.documentElement.dataset.theme = isDark ? 'dark' : 'light';
}
