import type { Page } from '@playwright/test';
import { test as base, expect, makeAgent, openThreads } from './fixtures';
import { admin, fakeModel, type Running, start } from './server';

const words = Array.from({ length: 240 }, (_, i) => (i % 20 === 19 ? `word${i}.\n\n` : `word${i} `));
const pause = 20; // milliseconds between two words

/** These need a model whose pace is known, so they have a server of their own. */
const test = base.extend<object, { slow: Running }>({
  slow: [
    async ({}, provide) => {
      const model = await fakeModel(words, pause);
      const server = await start({
        ATRIUM_ADMIN_PASSWORD: admin.password,
        ATRIUM_LLM_BASE_URL: model.url,
        ATRIUM_LLM_API_KEY: 'fake',
        ATRIUM_LLM_MODEL: 'fake',
      });
      await provide(server);
      await server.stop();
      model.stop();
    },
    { scope: 'worker' },
  ],
  address: async ({ slow }, provide) => provide(slow.url),
  account: async ({}, provide) => provide({ username: admin.email, password: admin.password }),
});

async function begin(page: Page, question: string): Promise<void> {
  const before = await page.locator('.prose').count();
  const field = page.getByRole('textbox', { name: /^Ask / });
  await field.fill(question);
  await field.press('Enter');
  await expect(page.locator('.prose').nth(before)).toContainText('word30');
}

test('stopping ends the answer with what there is', async ({ signedIn: page, api }) => {
  await page.goto(`/chat/${await makeAgent(api, { name: 'Slow' })}`);
  await begin(page, 'Tell me everything');
  await page.keyboard.press('Escape');
  await expect(page.getByRole('button', { name: 'Copy answer' })).toBeVisible();
  await expect(page.locator('.prose')).not.toContainText('word239');
  await page.reload();
  await expect(page.locator('.prose')).toContainText('word30');
});

test('a cut connection goes on by itself and loses nothing', async ({ signedIn: page, api }) => {
  await page.goto(`/chat/${await makeAgent(api, { name: 'Cut' })}`);
  // The first stream is cut in the middle of an event; the page has to ask for the rest.
  await page.route('**/responses/stream', async (route) => {
    const whole = await route.fetch();
    const body = await whole.body();
    await route.fulfill({ response: whole, body: body.subarray(0, Math.floor(body.length / 3)) });
  });
  const resumed = page.waitForRequest((r) => /agent-responses\/\d+\/stream$/.test(r.url()));
  const field = page.getByRole('textbox', { name: /^Ask / });
  await field.fill('Go on');
  await field.press('Enter');
  expect((await resumed).headers()['last-event-id']).toMatch(/^\d+-\d+$/);
  await expect(page.getByRole('button', { name: 'Copy answer' })).toBeVisible();
  const shown = (await page.locator('.prose').innerText()).split(/\s+/).filter(Boolean);
  expect(shown).toEqual(words.map((w) => w.trim()));
});

test('a reload in the middle follows the answer to its end', async ({ signedIn: page, api }) => {
  await page.goto(`/chat/${await makeAgent(api, { name: 'Reloaded' })}`);
  await begin(page, 'Keep writing');
  await page.reload();
  await expect(page.getByRole('button', { name: 'Stop' })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Copy answer' })).toBeVisible();
  await expect(page.locator('.prose')).toContainText('word239');
});

test('an answer goes on while another conversation is looked at', async ({ signedIn: page, api }) => {
  await page.goto(`/chat/${await makeAgent(api, { name: 'Away' })}`);
  await begin(page, 'Write on without me');
  await page.getByRole('link', { name: 'Agents' }).first().click();
  await expect(page.getByRole('heading', { name: 'Agents', level: 1 })).toBeVisible();
  await page.goBack();
  await expect(page.locator('.prose')).toContainText('word239');
  const list = await openThreads(page);
  await expect(list.getByRole('link', { name: 'Write on without me' })).toBeVisible();
});

test('finished text and earlier answers are not drawn again while words come', async ({ signedIn: page, api }) => {
  await page.goto(`/chat/${await makeAgent(api, { name: 'Still' })}`);
  await begin(page, 'First');
  await expect(page.getByRole('button', { name: 'Copy answer' })).toBeVisible();
  await begin(page, 'Second');
  // The first block is finished when the third has begun: the second may still end it.
  await expect.poll(() => page.locator('article').nth(1).locator('.prose-block').count()).toBeGreaterThan(2);
  await page.evaluate(() => {
    const seen = { count: 0 };
    (window as unknown as { drawn: typeof seen }).drawn = seen;
    const watch = new MutationObserver((list) => (seen.count += list.length));
    const turns = document.querySelectorAll('article');
    const options = { childList: true, subtree: true, characterData: true, attributes: true };
    const earlier = turns[0]?.querySelector('.prose');
    const finished = turns[1]?.querySelector('.prose-block');
    if (!earlier || !finished) throw new Error('the turns are not there');
    watch.observe(earlier, options);
    watch.observe(finished, options);
  });
  await expect(page.locator('.prose').last()).toContainText('word200');
  expect(await page.evaluate(() => (window as unknown as { drawn: { count: number } }).drawn.count)).toBe(0);
});
