import { MutationCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { Tooltip } from 'radix-ui';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { signedOutEvent } from './api/client';
import { ApiError } from './api/error';
import { keys, meQuery } from './api/queries';
import { followSystem } from './lib/theme';
import { undoList } from './lib/undo';
import { uploads } from './lib/upload';
import { makeRouter } from './router';
import './styles.css';
import { sayError } from './ui/toast';

const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      // Only what may pass by itself is tried again.
      retry: (n, error) => n < 2 && error instanceof ApiError && (error.status === 0 || error.status >= 502),
      refetchOnWindowFocus: false,
    },
  },
  mutationCache: new MutationCache({
    onError: (error, _variables, _context, mutation) => {
      if (mutation.meta?.ownError !== true) sayError(error);
    },
  }),
});

const router = makeRouter(queryClient);

window.addEventListener(signedOutEvent, () => {
  // Who has not been signed in here is sent to sign in by the router.
  if (window.location.pathname.startsWith('/sign-in') || !queryClient.getQueryData(meQuery.queryKey)) return;
  const next = window.location.pathname + window.location.search;
  queryClient.clear();
  void router.navigate({ to: '/sign-in', search: { next, ended: true }, replace: true });
});
window.addEventListener('pagehide', () => undoList.flush());
uploads.arrived = (corpusId) => void queryClient.invalidateQueries({ queryKey: keys.documents(corpusId) });
followSystem();

const root = document.getElementById('root');
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queryClient}>
        <Tooltip.Provider delayDuration={400}>
          <RouterProvider router={router} />
        </Tooltip.Provider>
      </QueryClientProvider>
    </StrictMode>,
  );
}
