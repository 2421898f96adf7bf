// Replaces each text file of the build by its gzip form, which is what the
// binary embeds and serves, and holds the first load to its budget.
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const budget = 250 * 1000; // bytes of compressed script before the first view
const dist = fileURLToPath(new URL('../../internal/console/dist/', import.meta.url));

// What a person loads who opens the console at its chat, the page behind "/".
const manifest = JSON.parse(await readFile(join(dist, '.vite/manifest.json'), 'utf8'));
const first = new Set();
function need(key) {
  const chunk = manifest[key];
  if (first.has(chunk.file)) return;
  first.add(chunk.file);
  for (const other of chunk.imports ?? []) need(other);
}
need('index.html');
need('src/pages/chat/page.tsx');
await rm(join(dist, '.vite'), { recursive: true });

let firstLoad = 0;
let total = 0;
for (const entry of await readdir(dist, { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name);
  if (!entry.isFile() || !/\.(js|css|svg|json)$/.test(entry.name)) continue;
  const packed = gzipSync(await readFile(path), { level: 9 });
  total += packed.length;
  if (first.has(path.slice(dist.length))) firstLoad += packed.length;
  await writeFile(path + '.gz', packed);
  await rm(path);
}
const kB = (n) => (n / 1000).toFixed(1) + ' kB';
console.log(`first load ${kB(firstLoad)} of ${kB(budget)} compressed script; all files ${kB(total)}`);
if (firstLoad > budget) {
  console.error('the first load is over its budget: split a route or drop a library');
  process.exit(1);
}
