import { admin, start } from './server';

/** Starts a server for all tests, unless the environment names one. */
export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env.ATRIUM_E2E_URL) return undefined;
  const server = await start({ ATRIUM_ADMIN_PASSWORD: admin.password });
  process.env.ATRIUM_E2E_URL = server.url;
  process.env.ATRIUM_E2E_EMAIL = admin.email;
  process.env.ATRIUM_E2E_PASSWORD = admin.password;
  return server.stop;
}
