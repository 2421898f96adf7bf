import { Link } from '@tanstack/react-router';
import { ApiError } from '../api/error';
import { t } from '../strings';
import { Button, buttonClass } from '../ui/button';
import { EmptyState, ErrorState } from '../ui/state';

/** The view of an address that names nothing. */
export function NotFound() {
  return (
    <main>
      <EmptyState title={t.error.pageTitle} text={t.error.pageText}>
        <Link to="/chat" className={buttonClass('primary')}>
          {t.error.toChat}
        </Link>
      </EmptyState>
    </main>
  );
}

/** The view in place of one that failed. */
export function Crash({ error }: { error: unknown }) {
  const again = () => window.location.reload();
  if (error instanceof ApiError) return <ErrorState error={error} retry={again} />;
  return (
    <EmptyState title={t.error.crash} text={t.error.crashText}>
      <Button look="primary" onClick={again}>
        {t.error.reload}
      </Button>
    </EmptyState>
  );
}
