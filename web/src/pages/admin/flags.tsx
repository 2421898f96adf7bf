import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, take } from '../../api/client';
import { at, isGlobalAdmin } from '../../api/people';
import { meQuery } from '../../api/queries';
import { useTitle } from '../../lib/hooks';
import { p } from '../../strings.people';
import { Page } from '../../ui/page';
import { ErrorState, Skeleton } from '../../ui/state';
import { Switch } from '../../ui/switch';

/** Parts of the product that can be taken out of use. */
export function FlagsPage() {
  useTitle(p.flags.title);
  const { data: me } = useQuery(meQuery);
  const queryClient = useQueryClient();
  const list = useQuery({
    queryKey: at.flags,
    queryFn: async ({ signal }) => (await take(api.GET('/api/v2/feature-flags', { signal }))).items ?? [],
  });
  const set = useMutation({
    mutationFn: ({ name, on }: { name: string; on: boolean }) =>
      // Each flag has an address of its own, all of one shape.
      api.PUT(`/api/v2/feature-flags/${name}` as '/api/v2/feature-flags/caching', { body: { is_active: on } }),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: at.flags }),
  });
  return (
    <Page slim title={p.flags.title}>
      <p className="mb-4 max-w-prose text-muted">{p.flags.intro}</p>
      {list.isPending && <Skeleton />}
      {list.error && <ErrorState error={list.error} retry={() => void list.refetch()} />}
      {list.data && (
        <ul className="divide-y divide-line rounded-md border border-line">
          {list.data.map((f) => (
            <li key={f.name} className="flex items-center gap-3 px-3 py-2.5">
              <div className="min-w-0 grow">
                <p className="font-medium">{p.flags.names[f.name] ?? f.name}</p>
                <p className="text-muted">{f.description}</p>
              </div>
              <Switch
                label={p.flags.names[f.name] ?? f.name}
                on={f.is_active}
                disabled={!isGlobalAdmin(me) || set.isPending}
                onChange={(on) => set.mutate({ name: f.name, on })}
              />
            </li>
          ))}
        </ul>
      )}
    </Page>
  );
}
