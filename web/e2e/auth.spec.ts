import { credentials, expect, test } from './fixtures';
import { start } from './server';

test.use({ expected: [/status of 401/] });

test('a wrong password says so, a right one returns to the address that was asked for', async ({ page }) => {
  await page.goto('/knowledge?from=mail');
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  await expect(page.getByText('Your session has ended')).toBeHidden(); // there was none
  await page.getByLabel('E-mail').fill(credentials().username);
  await page.getByLabel('Password').fill('Not-the-password-1');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('alert')).toHaveText('The e-mail or the password is wrong.');
  await page.getByLabel('Password').fill(credentials().password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('heading', { name: 'Knowledge', level: 1 })).toBeVisible();
});

test('no script can read the session', async ({ signedIn: page }) => {
  await page.goto('/agents');
  await expect(page.getByRole('heading', { name: 'Agents', level: 1 })).toBeVisible();
  const readable = await page.evaluate(() => document.cookie + JSON.stringify({ ...localStorage, ...sessionStorage }));
  expect(readable).not.toMatch(/ey[A-Za-z0-9_-]{10,}\.|atk_|token/i);
  const session = (await page.context().cookies()).find((c) => c.httpOnly);
  expect(session?.sameSite).toBe('Strict');
});

test('signing out ends the session', async ({ signedIn: page }) => {
  await page.goto('/agents');
  await page.getByRole('button', { name: 'Profile' }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  expect((await page.request.get('/api/v2/users/me')).status()).toBe(401);
});

test('a session that ends in the middle leads back to where the person was', async ({ signedIn: page }) => {
  await page.goto('/agents');
  await expect(page.getByRole('heading', { name: 'Guide' })).toBeVisible();
  await page.context().clearCookies();
  await page.getByRole('link', { name: 'Knowledge' }).click();
  await expect(page.getByText('Your session has ended')).toBeVisible();
  await page.getByLabel('E-mail').fill(credentials().username);
  await page.getByLabel('Password').fill(credentials().password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('heading', { name: 'Knowledge', level: 1 })).toBeVisible();
});

test('at the first start the administrator chooses a password by the printed address', async ({ page }) => {
  const server = await start();
  try {
    const printed = () => /http:\/\/\S+\/setup\?token=\S+/.exec(server.output())?.[0];
    await expect.poll(printed).toBeTruthy();
    const address = printed();
    await page.goto(address ?? '');
    const button = page.getByRole('button', { name: 'Save and sign in' });
    await page.getByLabel('New password').fill('short');
    await page.getByLabel('Repeat the password').fill('short');
    await expect(button).toBeDisabled();
    await page.getByLabel('New password').fill('Quiet-courtyard-9');
    await page.getByLabel('Repeat the password').fill('Quiet-courtyard-9');
    await button.click();
    await expect(page.getByRole('heading', { name: 'Guide' })).toBeVisible();
  } finally {
    await page.goto('about:blank');
    await server.stop();
  }
});
