import { defineConfig } from '@playwright/test';

const desktop = { width: 1280, height: 800 };
const phone = { width: 375, height: 740 };

export default defineConfig({
  testDir: 'e2e',
  globalSetup: './e2e/setup.ts',
  timeout: 180_000,
  retries: process.env.CI ? 1 : 0, // a run that needed it is listed as flaky
  expect: { timeout: 45_000 },
  workers: 2,
  fullyParallel: true,
  reporter: [['list']],
  use: {
    browserName: 'chromium',
    locale: 'en-US',
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
    permissions: ['clipboard-read', 'clipboard-write'],
  },
  // Both widths and both themes, without each of one with each of the other.
  projects: [
    { name: 'desktop, light', use: { viewport: desktop, colorScheme: 'light' } },
    { name: 'phone, dark', use: { viewport: phone, colorScheme: 'dark', hasTouch: true } },
  ],
});
