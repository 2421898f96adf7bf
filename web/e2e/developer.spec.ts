import { request } from '@playwright/test';
import { expect, test } from './fixtures';

test('a key is shown once, works, and is revoked', async ({ signedIn: page, address }) => {
  const name = `nightly ${Date.now()}`;
  await page.goto('/developer/keys');
  await page.getByRole('button', { name: 'New key' }).first().click();
  await page.getByRole('textbox', { name: 'Name' }).fill(name);
  await page.getByRole('button', { name: 'Create' }).click();
  const key = await page.getByRole('dialog').locator('code').first().innerText();
  await page.getByRole('button', { name: 'Copy' }).click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(key);
  await page.getByRole('button', { name: 'I have copied it' }).click();
  const row = page.getByRole('row', { name: new RegExp(name) });
  await expect(row).toContainText('Never');
  expect(await page.content()).not.toContain(key);

  const program = await request.newContext({ baseURL: address, extraHTTPHeaders: { Authorization: `Bearer ${key}` } });
  expect((await program.get('/api/v2/agents')).status()).toBe(200);
  await row.getByRole('button', { name: `Revoke ${name}` }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Revoke' }).click();
  await expect(row).toHaveCount(0);
  await expect.poll(async () => (await program.get('/api/v2/agents')).status()).toBe(401);
  await program.dispose();
});
