// Puts the API reference's viewer beside its page in the embedded build.
import { copyFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const from = fileURLToPath(new URL('../node_modules/swagger-ui-dist/', import.meta.url));
const to = fileURLToPath(new URL('../../internal/console/dist/docs/', import.meta.url));
for (const name of ['swagger-ui-bundle.js', 'swagger-ui.css']) await copyFile(from + name, to + name);
