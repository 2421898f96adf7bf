import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

// `npm run dev` shows the console on its own port and asks this server.
const server = process.env.ATRIUM_URL ?? 'http://127.0.0.1:8080';
const served = ['/api', '/auth-service', '/response-service', '/indexing-service', '/docs', '/openapi.json'];

export default defineConfig({
  plugins: [react(), tailwindcss()],
  build: {
    outDir: '../internal/console/dist',
    emptyOutDir: false, // scripts/clean.mjs keeps the committed placeholder
    target: 'es2022',
    // Inlined data addresses would need a wider content policy.
    assetsInlineLimit: 0,
    manifest: true, // for the budget; scripts/compress.mjs takes it away
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: {
    proxy: Object.fromEntries(served.map((path) => [path, { target: server, changeOrigin: false }])),
  },
  test: { include: ['src/**/*.test.{ts,tsx}'], environment: 'node' },
});
