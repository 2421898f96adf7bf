// Empties the embedded build but for the placeholder that lives in the repository.
import { readdir, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const dist = fileURLToPath(new URL('../../internal/console/dist/', import.meta.url));
for (const name of await readdir(dist)) {
  if (name !== 'placeholder.html') await rm(dist + name, { recursive: true });
}
