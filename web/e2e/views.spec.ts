import type { APIRequestContext } from '@playwright/test';
import { ask, checkView, drop, expect, guide, makeCorpus, narrow, test } from './fixtures';

test('sign in', async ({ page }) => {
  await page.goto('/sign-in');
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  await checkView(page);
});

for (const [name, address, title] of [
  ['an error from elsewhere', '/sign-in?error=expired', 'Sign in'],
  ['a forgotten password', '/sign-in/forgot', 'Choose a new password'],
  ['a link', '/sign-in/link?token=x', 'Sign in'],
  ['an invitation', '/sign-in/invitation?token=x', 'Welcome'],
] as const) {
  test(`sign in: ${name}`, async ({ page }) => {
    await page.goto(address);
    await expect(page.getByRole('heading', { name: title, level: 1 })).toBeVisible();
    await checkView(page);
  });
}

test('first start', async ({ page }) => {
  await page.goto('/setup?token=x');
  await expect(page.getByLabel('New password')).toBeVisible();
  await checkView(page);
});

test('chat before and after a question, with a source', async ({ signedIn: page, api }) => {
  await page.goto(`/chat/${await guide(api)}`);
  await expect(page.getByRole('heading', { name: 'Guide', level: 2 })).toBeVisible();
  await checkView(page);
  await ask(page, 'How do I add documents to a corpus?');
  await checkView(page);
  await page.locator('summary').click();
  await page.getByRole('button', { name: 'Poor answer' }).click();
  await checkView(page);
  await page.getByRole('button', { name: /^Citation 1: / }).first().click();
  await expect(page.locator('mark')).toBeVisible();
  await checkView(page);
});

test('conversations on a phone', async ({ signedIn: page, api }) => {
  await page.goto(`/chat/${await guide(api)}`);
  if (narrow(page)) await page.getByRole('button', { name: 'Show threads' }).click();
  await expect(page.getByRole('navigation', { name: 'Threads' })).toBeVisible();
  await checkView(page);
});

const places: [string, (api: APIRequestContext) => Promise<string>, string][] = [
  ['agents', async () => '/agents', 'Agents'],
  ['a new agent', async () => '/agents/new', 'New agent'],
  ['an agent', async (api) => `/agents/${await guide(api)}`, 'Guide'],
  ['knowledge', async () => '/knowledge', 'Knowledge'],
  ['keys', async () => '/developer/keys', 'API keys'],
  ['people', async () => '/admin/people', 'People'],
  ['a person', async () => '/admin/people/1', 'Admin'],
  ['teams', async () => '/teams', 'Teams'],
  ['projects', async () => '/projects', 'Projects'],
  ['a project', async () => '/projects/1', 'General'],
  ['permission sets', async () => '/admin/permission-sets', 'Permission sets'],
  ['features', async () => '/admin/features', 'Features'],
  ['models', async () => '/admin/models', 'Models'],
  ['audit', async () => '/admin/audit', 'Audit'],
  ['profile', async () => '/profile', 'Profile'],
];

for (const [name, address, title] of places) {
  test(name, async ({ signedIn: page, api }) => {
    await page.goto(await address(api));
    await expect(page.getByRole('heading', { name: title, level: 1 })).toBeVisible();
    await expect(page.getByRole('status', { name: 'Loading' })).toHaveCount(0);
    await checkView(page);
  });
}

test('a corpus: empty, full, one document, the search over all', async ({ signedIn: page, api }) => {
  const id = await makeCorpus(api, `View ${Date.now()}`);
  await page.goto(`/knowledge/${id}`);
  const empty = page.getByRole('heading', { name: 'No documents yet' });
  await expect(empty).toBeVisible();
  await checkView(page);
  await drop(empty, [
    { name: 'a file with a name that is much longer than any column of the table can be.txt', text: 'words to read' },
    { name: 'bad.pdf', text: '%PDF-1.4 no', type: 'application/pdf' },
  ]);
  await expect(page.getByText('1 of 2 completed')).toBeVisible();
  await checkView(page);
  await page.getByRole('link', { name: /much longer/ }).click();
  await expect(page.getByRole('region', { name: /much longer/ })).toContainText('words to read');
  await checkView(page);
  await page.keyboard.press('Control+k');
  await expect(page.getByRole('combobox')).toBeVisible();
  await checkView(page);
});
