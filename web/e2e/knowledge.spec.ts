import { drop, expect, makeCorpus, test } from './fixtures';

test('a corpus is made, changed and deleted', async ({ signedIn: page }) => {
  const name = `Papers ${Date.now()}`;
  await page.goto('/knowledge');
  await page.getByRole('button', { name: 'New corpus' }).first().click();
  await page.getByRole('textbox', { name: 'Name' }).fill(name);
  await page.getByRole('button', { name: 'Create' }).click();
  await expect(page.getByRole('heading', { name, level: 1 })).toBeVisible();
  await expect(page.getByRole('heading', { name: 'No documents yet' })).toBeVisible();
  await page.getByRole('button', { name: 'More actions' }).click();
  await page.getByRole('menuitem', { name: 'Rename' }).click();
  await page.getByRole('textbox', { name: 'Name' }).fill(`${name} b`);
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('heading', { name: `${name} b`, level: 1 })).toBeVisible();
  await page.getByRole('button', { name: 'More actions' }).click();
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  await page.getByRole('button', { name: 'Delete corpus' }).click();
  await expect(page).toHaveURL(/\/knowledge$/);
  await expect(page.getByRole('link', { name: `${name} b` })).toHaveCount(0);
});

test('many dropped files are read, and one that cannot be says why and is tried again', async ({ signedIn: page, api }) => {
  const id = await makeCorpus(api, `Drop ${Date.now()}`);
  await page.goto(`/knowledge/${id}`);
  await drop(page.getByRole('heading', { name: 'No documents yet' }), [
    ...Array.from({ length: 8 }, (_, i) => ({ name: `note ${i}.md`, text: `# Note ${i}\n\nThe number of this note is ${i}.` })),
    { name: 'broken.pdf', text: '%PDF-1.7\nthis is no document', type: 'application/pdf' },
  ]);
  await expect(page.getByText('8 of 9 completed')).toBeVisible();
  const failed = page.getByRole('row', { name: /broken\.pdf/ });
  await expect(failed).toContainText('Failed');
  await expect(failed.locator('.text-danger').first()).not.toBeEmpty();
  const again = page.waitForRequest((r) => r.url().includes('/refresh'));
  await failed.getByRole('button', { name: 'Retry: broken.pdf' }).click();
  await again;
  await expect(failed).toContainText('Failed');
});

test('names that are there already are asked about', async ({ signedIn: page, api }) => {
  const id = await makeCorpus(api, `Twice ${Date.now()}`);
  await page.goto(`/knowledge/${id}`);
  await drop(page.getByRole('heading', { name: 'No documents yet' }), [{ name: 'a.txt', text: 'first text of a' }]);
  const row = page.getByRole('row', { name: /a\.txt/ });
  await expect(row).toContainText('Completed');
  await drop(row, [
    { name: 'a.txt', text: 'second text of a' },
    { name: 'b.txt', text: 'text of b' },
  ]);
  await expect(page.getByRole('dialog')).toContainText('1 file is already here');
  await page.getByRole('button', { name: 'Only new files' }).click();
  await expect(page.getByRole('row', { name: /b\.txt/ })).toContainText('Completed');
  await expect(page.getByText('2 of 2 completed')).toBeVisible();
});

test('a text is added and read, an address has to be whole', async ({ signedIn: page, api }) => {
  const id = await makeCorpus(api, `Ways ${Date.now()}`);
  await page.goto(`/knowledge/${id}`);
  await page.getByRole('button', { name: 'Add documents' }).click();
  await page.getByRole('menuitem', { name: 'Add address' }).click();
  await page.getByRole('textbox', { name: 'Address' }).fill('example');
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await expect(page.getByText('Write a whole address')).toBeVisible();
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Add documents' }).click();
  await page.getByRole('menuitem', { name: 'Add text' }).click();
  await page.getByRole('textbox', { name: 'Title' }).fill('House rules');
  await page.getByRole('textbox', { name: 'Text', exact: true }).fill('Shoes are left at the door. Bicycles stay in the yard.');
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await expect(page.getByRole('row', { name: /House rules/ })).toContainText('Completed');
  await page.getByRole('link', { name: 'House rules' }).click();
  await expect(page).toHaveURL(/doc=\d+/);
  await expect(page.getByRole('region', { name: 'House rules' })).toContainText('Bicycles stay in the yard.');
});

test('chosen documents are deleted together', async ({ signedIn: page, api }) => {
  const id = await makeCorpus(api, `Clear ${Date.now()}`);
  await page.goto(`/knowledge/${id}`);
  await drop(page.getByRole('heading', { name: 'No documents yet' }), [
    { name: 'keep.txt', text: 'this one stays' },
    { name: 'one.txt', text: 'this one goes' },
    { name: 'two.txt', text: 'this goes too' },
  ]);
  await expect(page.getByText('3 of 3 completed')).toBeVisible();
  await page.getByRole('checkbox', { name: 'Select one.txt' }).check();
  await page.getByRole('checkbox', { name: 'Select two.txt' }).check();
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Delete' }).click();
  await expect(page.getByText('1 of 1 completed')).toBeVisible();
  await expect(page.getByRole('row', { name: /keep\.txt/ })).toBeVisible();
});
