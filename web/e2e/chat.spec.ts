import { ask, drop, expect, guide, makeAgent, openThreads, test } from './fixtures';

const question = 'How do I add documents to a corpus?';

test('an answer comes with sources that open at their place', async ({ signedIn: page, api }) => {
  await page.goto(`/chat/${await guide(api)}`);
  await ask(page, question);
  await expect(page).toHaveURL(/\/chat\/\d+\/\d+$/);
  const source = page.getByRole('button', { name: /^Citation 1: / }).first();
  await source.click();
  await expect(page).toHaveURL(/cite=\d+-1/);
  const mark = page.locator('mark');
  await expect(mark).toBeInViewport();
  expect((await mark.innerText()).length).toBeGreaterThan(10);
  await page.reload();
  await expect(page.locator('mark')).toBeInViewport();
  await page.keyboard.press('Escape');
  await expect(page.locator('mark')).toHaveCount(0);
  await expect(page).not.toHaveURL(/cite=/);
});

test('the conversation survives a reload, and its steps unfold', async ({ signedIn: page, api }) => {
  await page.goto(`/chat/${await guide(api)}`);
  await ask(page, question);
  const answer = await page.locator('.prose').innerText();
  await page.reload();
  await expect(page.locator('.prose')).toHaveText(answer, { useInnerText: true });
  await page.locator('summary').click();
  await expect(page.getByRole('list', { name: 'How this was answered' }).getByRole('listitem').first()).toBeVisible();
});

test('a starter asks, and a follow-up asks on', async ({ signedIn: page, api }) => {
  await page.goto(`/chat/${await guide(api)}`);
  const starter = page.getByRole('heading', { name: 'Try one of these' }).locator('..').getByRole('button').first();
  const first = await starter.innerText();
  await starter.click();
  await expect(page.getByRole('article', { name: `You asked: ${first}` })).toBeVisible();
  const followup = page.getByRole('heading', { name: 'Ask next' }).locator('..').getByRole('button').first();
  const next = await followup.innerText();
  await followup.click();
  await expect(page.getByRole('article', { name: `You asked: ${next}` })).toBeVisible();
  await expect(page.getByRole('article')).toHaveCount(2);
});

test('a vote is kept, and its reason is sent', async ({ signedIn: page, api }) => {
  await page.goto(`/chat/${await guide(api)}`);
  await ask(page, question);
  await page.getByRole('button', { name: 'Poor answer' }).click();
  await page.getByLabel('What was wrong with it?').fill('It does not name the menu.');
  await page.getByRole('button', { name: 'Send' }).click();
  await expect(page.getByText('Your comment was sent')).toBeVisible();
  await page.reload();
  await expect(page.getByRole('button', { name: 'Poor answer' })).toHaveAttribute('aria-pressed', 'true');
});

test('an answer is copied, and made again', async ({ signedIn: page, api }) => {
  await page.goto(`/chat/${await guide(api)}`);
  await ask(page, question);
  await page.getByRole('button', { name: 'Copy answer' }).click();
  await expect(page.getByRole('button', { name: 'Copied' })).toBeVisible();
  const asked = page.waitForRequest((r) => r.url().endsWith('/responses/stream'));
  await page.getByRole('button', { name: 'Answer again' }).click();
  expect((await asked).postDataJSON()).toMatchObject({ user_query: question, caching_enabled: false });
  await expect(page.getByRole('article')).toHaveCount(2);
  await expect(page.getByRole('button', { name: 'Copy answer' })).toHaveCount(2);
});

test('a question is edited and asked again', async ({ signedIn: page, api }) => {
  await page.goto(`/chat/${await guide(api)}`);
  await ask(page, 'Which formats?');
  await page.getByRole('heading', { name: 'Which formats?', level: 2 }).hover();
  await page.getByRole('button', { name: 'Edit and ask again' }).click();
  const field = page.getByRole('textbox', { name: 'Edit and ask again' });
  await field.fill('Which formats of documents can be read?');
  await page.getByRole('button', { name: 'Ask again', exact: true }).click();
  await expect(page.getByRole('article', { name: 'You asked: Which formats of documents can be read?' })).toBeVisible();
});

test('a conversation is renamed, deleted, brought back and deleted for good', async ({ signedIn: page, api }) => {
  const agent = await makeAgent(api, { name: `Threads ${Date.now()}` });
  await page.goto(`/chat/${agent}`);
  await ask(page, 'First words');
  const menu = async (item: string) => {
    const list = await openThreads(page);
    await list.getByRole('link').first().hover();
    await list.getByRole('button', { name: /^More actions/ }).click();
    await page.getByRole('menuitem', { name: item }).click();
    return list;
  };
  const list = await menu('Rename');
  await page.getByRole('textbox', { name: 'Name' }).fill('Better words');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(list.getByRole('link', { name: 'Better words' })).toBeVisible();
  await page.reload();
  const gone = await menu('Delete');
  await expect(gone.getByRole('link', { name: 'Better words' })).toHaveCount(0);
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(gone.getByRole('link', { name: 'Better words' })).toBeVisible();
  await page.reload();
  await menu('Delete');
  // Leaving does at once what was waiting.
  await page.goto('/agents');
  await expect
    .poll(async () => ((await (await api.get(`/api/v2/agents/${agent}/chat-threads`)).json()) as { data: { chat_threads: unknown[] } }).data.chat_threads.length)
    .toBe(0);
});

test('a dropped file is read and answered from', async ({ signedIn: page, api }) => {
  const agent = await makeAgent(api, { name: `Files ${Date.now()}` });
  await page.goto(`/chat/${agent}`);
  const field = page.getByRole('textbox', { name: /^Ask / });
  await expect(field).toBeVisible();
  await drop(field, [{ name: 'lighthouse.txt', text: 'The lighthouse of Varnholm was built in 1837 by Ida Kestrel. It is painted green.' }]);
  const chip = page.getByRole('list', { name: 'Attached files' }).getByRole('listitem');
  await expect(chip).toContainText('lighthouse.txt');
  await expect(chip).toContainText('Ready');
  await ask(page, 'Who built the lighthouse of Varnholm?');
  await expect(page.locator('.prose')).toContainText('Ida Kestrel');
  await page.reload();
  await expect(chip).toContainText('lighthouse.txt');
});

test('an inactive agent says that it does not answer', async ({ signedIn: page, api }) => {
  const agent = await makeAgent(api, { name: `Asleep ${Date.now()}`, status: 'Inactive' });
  await page.goto(`/chat/${agent}`);
  await expect(page.getByText('This agent is inactive')).toBeVisible();
  await expect(page.getByRole('textbox', { name: /^Ask / })).toBeDisabled();
});
