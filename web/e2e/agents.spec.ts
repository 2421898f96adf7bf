import { expect, makeAgent, makeCorpus, narrow, test } from './fixtures';

test('an agent is made, given knowledge, changed and found', async ({ signedIn: page, api }) => {
  const stamp = Date.now();
  const corpus = `Shelf ${stamp}`;
  await makeCorpus(api, corpus);
  await page.goto('/agents/new');
  await page.getByRole('textbox', { name: 'Name' }).fill(`Maker ${stamp}`);
  await page.getByRole('textbox', { name: 'Description' }).fill('Knows the shelf.');
  await page.getByLabel('Starter 1').fill('What is on the shelf?');
  await page.getByRole('button', { name: 'Create agent' }).click();
  await expect(page).toHaveURL(/\/agents\/\d+$/);
  await page.getByRole('button', { name: 'Connect a corpus' }).click();
  await page.getByRole('menuitem', { name: corpus }).click();
  const use = page.getByRole('switch', { name: `Use ${corpus}` });
  await expect(use).toBeChecked();
  await use.click();
  await expect(use).not.toBeChecked();
  await page.reload();
  await expect(use).not.toBeChecked();
  await page.getByRole('button', { name: `Disconnect ${corpus}` }).click();
  await expect(use).toHaveCount(0);
  await page.getByLabel('Who may use it').selectOption('Everyone');
  await expect(page.getByText('Saved', { exact: true })).toBeVisible();
  await page.goto('/agents');
  await page.getByRole('searchbox', { name: 'Search agents' }).fill(`maker ${stamp}`);
  await expect(page.getByRole('heading', { level: 2 })).toHaveCount(1);
  await page.getByRole('link', { name: `Ask: Maker ${stamp}` }).click();
  await expect(page.getByRole('button', { name: 'What is on the shelf?' })).toBeVisible();
});

test('unsaved changes are not lost without asking', async ({ signedIn: page, api }) => {
  const id = await makeAgent(api, { name: `Unsaved ${Date.now()}` });
  await page.goto(`/agents/${id}`);
  await page.getByRole('textbox', { name: 'Prompt' }).fill('Be brief.');
  await page.getByRole('link', { name: 'Back: Agents' }).click();
  const question = page.getByRole('alertdialog', { name: 'Leave without saving?' });
  await question.getByRole('button', { name: 'Cancel' }).click();
  await expect(page.getByRole('textbox', { name: 'Prompt' })).toHaveValue('Be brief.');
  await page.getByRole('link', { name: 'Back: Agents' }).click();
  await question.getByRole('button', { name: 'Leave' }).click();
  await expect(page).toHaveURL(/\/agents$/);
});

test('an agent is tried beside its form', async ({ signedIn: page, api }) => {
  const id = await makeAgent(api, { name: `Tried ${Date.now()}` });
  await page.setViewportSize({ width: narrow(page) ? 375 : 1440, height: 800 });
  await page.goto(`/agents/${id}`);
  if (narrow(page)) {
    await page.getByRole('link', { name: 'Ask' }).click();
    await expect(page).toHaveURL(/\/chat\/\d+$/);
  }
  const field = page.getByRole('textbox', { name: /^Ask / });
  await field.fill('What do you know?');
  await field.press('Enter');
  await expect(page.getByRole('button', { name: 'Copy answer' })).toBeVisible();
});

test('an agent is deleted after a question', async ({ signedIn: page, api }) => {
  const name = `Gone ${Date.now()}`;
  const id = await makeAgent(api, { name });
  await page.goto(`/agents/${id}`);
  await page.getByRole('button', { name: 'Delete agent' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Delete agent' }).click();
  await expect(page).toHaveURL(/\/agents$/);
  await expect(page.getByRole('heading', { name })).toHaveCount(0);
  expect((await api.get(`/api/v2/agents/${id}`)).status()).toBe(404);
});
