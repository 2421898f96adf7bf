import { AxeBuilder } from '@axe-core/playwright';
import { type APIRequestContext, test as base, expect, type Locator, type Page } from '@playwright/test';

interface Fixtures {
  /** Where the server is; a spec with a server of its own overrides it. */
  address: string;
  /** Who signs in. */
  account: { username: string; password: string };
  /** Messages of the browser's console that a test brings about on purpose. */
  expected: RegExp[];
  signedIn: Page;
  /** Calls the API with the page's session. */
  api: APIRequestContext;
}

export const credentials = () => ({
  username: process.env.ATRIUM_E2E_EMAIL ?? '',
  password: process.env.ATRIUM_E2E_PASSWORD ?? '',
});

export const test = base.extend<Fixtures>({
  address: async ({}, provide) => provide(process.env.ATRIUM_E2E_URL ?? ''),
  account: async ({}, provide) => provide(credentials()),
  baseURL: async ({ address }, provide) => provide(address),
  expected: async ({}, provide) => provide([]),
  page: async ({ page, expected }, provide) => {
    const said: string[] = [];
    page.on('console', (m) => {
      if (m.type() === 'error' || m.type() === 'warning') said.push(m.text());
    });
    page.on('pageerror', (e) => said.push(String(e)));
    await provide(page);
    expect(said.filter((text) => !expected.some((e) => e.test(text)))).toEqual([]);
  },
  signedIn: async ({ page, address, account }, provide) => {
    const answer = await page.request.post('/auth-service/api/v2/login/access-token', {
      form: account,
      headers: { 'X-Atrium-Console': '1', Origin: address },
    });
    expect(answer.status(), await answer.text()).toBe(200);
    await provide(page);
  },
  api: async ({ signedIn }, provide) => provide(signedIn.request),
});

export { expect } from '@playwright/test';

/** Makes an agent by the API; answers its id. */
export async function makeAgent(api: APIRequestContext, fields: object): Promise<number> {
  return make(api, '/api/v2/agents', fields);
}

/** Makes a corpus by the API; answers its id. */
export async function makeCorpus(api: APIRequestContext, name: string): Promise<number> {
  return make(api, '/api/v2/corpora', { name });
}

async function make(api: APIRequestContext, path: string, fields: object): Promise<number> {
  const answer = await api.post(path, { data: fields });
  expect(answer.status(), await answer.text()).toBe(201);
  const { data } = (await answer.json()) as { data: { id: number } };
  return data.id;
}

/** The id of the agent that the server brings along. */
export async function guide(api: APIRequestContext): Promise<number> {
  const answer = await api.get('/api/v2/agents?search=Guide');
  const { data } = (await answer.json()) as { data: { agents: { id: number; agent_name: string }[] } };
  const found = data.agents.find((a) => a.agent_name === 'Guide');
  if (!found) throw new Error('the agent Guide is not there');
  return found.id;
}

/** Drops files from outside the browser onto an element. */
export async function drop(target: Locator, files: { name: string; text: string; type?: string }[]): Promise<void> {
  const transfer = await target.page().evaluateHandle((list) => {
    const t = new DataTransfer();
    for (const f of list) t.items.add(new File([f.text], f.name, { type: f.type ?? 'text/plain' }));
    return t;
  }, files);
  await target.dispatchEvent('dragenter', { dataTransfer: transfer });
  await target.dispatchEvent('dragover', { dataTransfer: transfer });
  await target.dispatchEvent('drop', { dataTransfer: transfer });
}

/** Asks in the open conversation and waits until the answer is complete. */
export async function ask(page: Page, question: string): Promise<void> {
  const before = await page.getByRole('article').count();
  const field = page.getByRole('main').getByRole('textbox', { name: /^Ask / });
  await field.fill(question);
  await field.press('Enter');
  const turn = page.getByRole('article').nth(before);
  await expect(turn.getByRole('button', { name: 'Copy answer' })).toBeVisible();
}

/** Nothing that a checker calls serious, and nothing wider than the screen. */
export async function checkView(page: Page): Promise<void> {
  const found = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']).analyze();
  const bad = found.violations
    .filter((v) => v.impact === 'serious' || v.impact === 'critical')
    .map((v) => `${v.id}: ${v.nodes.map((n) => `${n.target.join(' ')} ${n.failureSummary ?? ''}`).join('; ')}`);
  expect(bad).toEqual([]);
  const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(over, 'pixels wider than the screen').toBeLessThanOrEqual(0);
}

/** Says whether the page is laid out for a phone. */
export const narrow = (page: Page) => (page.viewportSize()?.width ?? 0) < 1024;

/** Brings the list of conversations into view. */
export async function openThreads(page: Page): Promise<Locator> {
  if (narrow(page)) await page.getByRole('button', { name: 'Show threads' }).click();
  return page.getByRole('navigation', { name: 'Threads' });
}
