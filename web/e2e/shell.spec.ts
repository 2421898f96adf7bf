import { expect, narrow, test } from './fixtures';

test('the search opens by keyboard and goes where one wants', async ({ signedIn: page }) => {
  await page.goto('/agents');
  await expect(page.getByRole('heading', { name: 'Guide' })).toBeVisible();
  await page.keyboard.press('Control+k');
  const field = page.getByRole('combobox', { name: 'Search everything' });
  await field.fill('api ke');
  await expect(page.getByRole('option')).toHaveCount(1);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: 'API keys', level: 1 })).toBeVisible();
  await page.keyboard.press('Control+k');
  await page.keyboard.press('Escape');
  await expect(field).toHaveCount(0);
});

test('a slash goes to the question', async ({ signedIn: page }) => {
  await page.goto('/chat');
  const field = page.getByRole('textbox', { name: /^Ask / });
  await expect(field).toBeVisible();
  await page.keyboard.press('/');
  await expect(field).toBeFocused();
  await expect(field).toHaveValue('');
});

test('the chosen theme stays', async ({ signedIn: page }) => {
  await page.goto('/agents');
  for (const [choice, want] of [
    ['Dark', 'dark'],
    ['Light', 'light'],
  ] as const) {
    await page.getByRole('button', { name: 'Profile' }).click();
    await page.getByRole('menuitemradio', { name: choice }).click();
    await page.keyboard.press('Escape');
    await expect(page.locator('html')).toHaveAttribute('data-theme', want);
    await page.reload();
    await expect(page.locator('html')).toHaveAttribute('data-theme', want);
  }
});

test('an address that names nothing says so', async ({ signedIn: page }) => {
  await page.goto('/nowhere');
  await expect(page.getByRole('heading', { name: 'There is nothing at this address' })).toBeVisible();
  await page.getByRole('link', { name: 'Go to chat' }).click();
  await expect(page).toHaveURL(/\/chat\/\d+$/);
});

test.describe('what is not there', () => {
  test.use({ expected: [/status of 404/] });

  test('a foreign or unknown id is told apart from an empty page', async ({ signedIn: page }) => {
    for (const address of ['/agents/999999', '/knowledge/999999', '/chat/999999']) {
      await page.goto(address);
      await expect(page.getByRole('alert')).toContainText('unknown or not visible');
    }
  });
});

test('every place is reached by the keyboard alone', async ({ signedIn: page }) => {
  await page.goto('/agents');
  await expect(page.getByRole('heading', { name: 'Guide' })).toBeVisible();
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: 'Skip to content' })).toBeFocused();
  // A phone's bar has no room for the last one.
  for (const name of ['Chat', 'Agents', 'Knowledge', 'Admin', ...(narrow(page) ? [] : ['Developer'])]) {
    await page.keyboard.press('Tab');
    await expect(page.getByRole('link', { name, exact: true })).toBeFocused();
  }
});
