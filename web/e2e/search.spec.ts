import { checkView, drop, expect, makeAgent, makeCorpus, narrow, test } from './fixtures';

const rules = `# House rules

## Who may use the oven?

Only people who have read the fire rules may use the oven, and the oven is off after seven.

## Cleaning the coffee machine

The coffee machine is cleaned each Friday by whoever drank the last cup. The descaler stands below the sink.
`;

test('a question is tried: passages come with their words marked and the reason why', async ({ signedIn: page, api }) => {
  const name = `Tried ${Date.now()}`;
  const id = await makeCorpus(api, name);
  await page.goto(`/knowledge/${id}`);
  await drop(page.getByRole('heading', { name: 'No documents yet' }), [
    { name: 'rules.md', text: rules },
    { name: 'long.md', text: `# Ovens of the world\n\n${'An oven of clay is built by hand and dried for a week. '.repeat(30)}` },
  ]);
  await expect(page.getByText('2 of 2 completed')).toBeVisible();
  await page.getByRole('link', { name: 'Try a search' }).click();
  await expect(page.getByRole('heading', { name: 'Try a question' })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Who may use the oven?' })).toBeVisible();
  await checkView(page);
  await page.getByRole('searchbox', { name: 'Question or words' }).fill('who uses the ovens tonight');
  await page.getByRole('button', { name: 'Search', exact: true }).click();
  await expect(page).toHaveURL(/q=who/);
  const first = page.getByRole('article').first();
  await expect(first.locator('mark').filter({ hasText: 'oven' }).first()).toBeVisible();
  await expect(first).toContainText('Score');
  await expect(first.getByRole('list', { name: 'Words of the question' })).toContainText('tonight: not found');
  await checkView(page);
  await page.getByRole('button', { name: 'Show all of it' }).first().click();
  await expect(page.getByRole('button', { name: 'Show less' })).toBeVisible();
  await page.getByRole('searchbox', { name: 'Question or words' }).fill('xylophone');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: 'Nothing was found' })).toBeVisible();
  await page.goBack();
  await expect(page.getByRole('searchbox', { name: 'Question or words' })).toHaveValue('who uses the ovens tonight');
});

test('tags are given to a corpus, a document and an agent, and taken again', async ({ signedIn: page, api }) => {
  const id = await makeCorpus(api, `Tagged ${Date.now()}`);
  const agent = await makeAgent(api, { name: `Tagged ${Date.now()}` });
  await page.goto(`/knowledge/${id}`);
  await drop(page.getByRole('heading', { name: 'No documents yet' }), [{ name: 'rules.md', text: rules }]);
  await expect(page.getByText('1 of 1 completed')).toBeVisible();
  const tag = async (word: string) => {
    const tags = page.getByRole('list', { name: 'Tags' }).last();
    await tags.getByRole('button', { name: 'Add a tag' }).click();
    await page.getByRole('textbox', { name: 'Add a tag' }).fill(word);
    await page.keyboard.press('Enter');
    await expect(tags.getByText(word.split(',')[0] ?? '', { exact: true })).toBeVisible();
    return tags;
  };
  await tag('house, office');
  await page.getByRole('link', { name: 'rules.md' }).click();
  await expect(page.getByRole('region', { name: 'rules.md' })).toContainText('Who may use the oven?');
  const tags = await tag('kitchen');
  await checkView(page);
  await tags.getByRole('button', { name: 'Remove the tag kitchen' }).click();
  await expect(tags.getByText('kitchen')).toHaveCount(0);
  await page.goto(`/agents/${agent}`);
  await tag('helper');
  await page.reload();
  await expect(page.getByText('helper', { exact: true })).toBeVisible();
});

test('a changed file is a version beside the old one', async ({ signedIn: page, api }) => {
  const id = await makeCorpus(api, `Versions ${Date.now()}`);
  await page.goto(`/knowledge/${id}`);
  await drop(page.getByRole('heading', { name: 'No documents yet' }), [{ name: 'rules.md', text: rules }]);
  await expect(page.getByText('1 of 1 completed')).toBeVisible();
  await drop(page.getByRole('row', { name: /rules\.md/ }), [{ name: 'rules.md', text: rules.replace('seven', 'nine') }]);
  await page.getByRole('button', { name: 'Upload all' }).click();
  await page.getByRole('link', { name: 'rules.md' }).click();
  const versions = page.getByRole('region', { name: 'Versions' });
  await expect(versions).toContainText('Version 2');
  await expect(versions.getByRole('listitem').first()).toContainText('current');
  const old = await versions.getByRole('link', { name: 'Open version 1' }).getAttribute('href');
  expect(await (await api.get(old ?? '')).text()).toContain('off after seven');
  await checkView(page);
});

test('starters are written for an agent, and drafted from its documents until then', async ({ signedIn: page, api }) => {
  const id = await makeAgent(api, { name: `Starts ${Date.now()}` });
  const corpora = (await (await api.get(`/api/v2/agents/${id}/corpora`)).json()) as { data: { items: { agent_corpus: { corpus: { id: number } }[] } } };
  await page.goto(`/knowledge/${corpora.data.items.agent_corpus[0]?.corpus.id}`);
  await drop(page.getByRole('heading', { name: 'No documents yet' }), [{ name: 'rules.md', text: rules }]);
  await expect(page.getByText('1 of 1 completed')).toBeVisible();
  await page.goto(`/chat/${id}`);
  await expect(page.getByRole('heading', { name: 'From its documents' })).toBeVisible();
  await page.getByRole('button', { name: 'Who may use the oven?' }).click();
  await expect(page.getByRole('article').first()).toContainText('fire rules');
  await page.goto(`/agents/${id}`);
  await page.getByLabel('Starter 1').fill('What is off after seven?');
  for (const n of [4, 5]) {
    await page.getByRole('button', { name: 'Add a starter' }).click();
    await page.getByLabel(`Starter ${n}`).fill(`Question ${n}?`);
  }
  await page.getByRole('button', { name: 'Move question 5 up' }).click();
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Saved', { exact: true })).toBeVisible();
  await expect(page.getByLabel('Starter 2')).toHaveValue('Question 5?');
  if (!narrow(page)) await checkView(page);
  await page.goto(`/chat/${id}`);
  await expect(page.getByRole('heading', { name: 'Try one of these' })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Question 5?' })).toBeVisible();
});
