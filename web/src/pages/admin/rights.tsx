import { useQuery } from '@tanstack/react-query';
import { rightsQuery } from '../../api/people';
import { p } from '../../strings.people';
import { Rights } from '../../ui/rights';
import { ErrorLine, Skeleton } from '../../ui/state';

/** What a person may do to each kind of thing, and why. */
export function PersonRights({ id }: { id: number }) {
  const rights = useQuery(rightsQuery(id));
  if (rights.isPending) return <Skeleton rows={4} />;
  if (rights.error) return <ErrorLine error={rights.error} />;
  const kinds = [...new Set((rights.data.rights ?? []).map((r) => r.resource))];
  return (
    <Rights
      groups={kinds.map((kind) => ({
        name: p.resources[kind] ?? kind,
        rights: (rights.data.rights ?? []).filter((r) => r.resource === kind),
      }))}
    />
  );
}
