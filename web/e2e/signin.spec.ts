import { checkView, expect, test } from './fixtures';
import { mailbox } from './mail';
import { admin, start } from './server';

test.use({ expected: [/status of 40[01]/] });

test('by mail: an invitation, a code, a link, and a forgotten password', async ({ page }) => {
  test.slow(); // four sign-ins at a server of its own
  const mails = await mailbox();
  const server = await start({
    ATRIUM_ADMIN_PASSWORD: admin.password,
    ATRIUM_SMTP_URL: mails.url,
    ATRIUM_MAIL_FROM: 'atrium@example.org',
  });
  const email = 'nora@example.org';
  const link = (page: string) => new RegExp(`${server.url}/sign-in/${page}\\?\\S*token=[\\w-]+[^\\s"<]*`);
  const open = async (to: string) => {
    await expect.poll(() => mails.letter(email, link(to))).toBeTruthy();
    await page.goto((link(to).exec(mails.letter(email, link(to))?.text ?? '')?.[0] ?? '').replaceAll('&amp;', '&'));
  };
  const isIn = async () => {
    await expect(page.getByRole('heading', { name: 'Guide', level: 2 })).toBeVisible();
    await page.context().clearCookies();
  };
  try {
    const signedIn = await page.request.post(`${server.url}/auth-service/api/v2/login/access-token`, {
      form: { username: admin.email, password: admin.password },
      headers: { 'X-Atrium-Console': '1', Origin: server.url },
    });
    expect(signedIn.status()).toBe(200);
    const made = await page.request.post(`${server.url}/api/v2/organizations/1/users`, { data: { email, first_name: 'Nora' } });
    expect(made.status(), await made.text()).toBe(201);
    await page.context().clearCookies();

    await open('invitation');
    await checkView(page);
    await page.getByLabel('New password').fill('Quiet-courtyard-9');
    await page.getByLabel('Repeat the password').fill('Quiet-courtyard-9');
    await page.getByRole('button', { name: 'Save and sign in' }).click();
    await isIn();

    await page.goto(`${server.url}/sign-in?next=/chat`);
    await page.getByRole('button', { name: 'Sign in by a code in a mail' }).click();
    await page.getByLabel('E-mail').fill(email);
    await page.getByRole('button', { name: 'Send the code' }).click();
    await expect(page.getByText('a mail with a code is on its way')).toBeVisible();
    const subject = /([A-Z0-9]{6}) is your code/;
    await expect.poll(() => mails.letter(email, subject)).toBeTruthy();
    await page.getByLabel('Code').fill('WRONG1');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.getByRole('alert')).toContainText('this code is wrong');
    await checkView(page);
    await page.getByLabel('Code').fill(subject.exec(mails.letter(email, subject)?.text ?? '')?.[1] ?? '');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await isIn();

    // The link of the same mail ended with its code.
    await open('link');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.getByRole('alert')).toContainText('used already');
    await page.getByRole('link', { name: 'Back to sign-in' }).click();

    await page.getByRole('link', { name: 'Forgot the password?' }).click();
    await page.getByLabel('E-mail').fill(email);
    await page.getByRole('button', { name: 'Send the mail' }).click();
    await expect(page.getByText('a mail with a link is on its way')).toBeVisible();
    await open('reset');
    await page.getByLabel('New password').fill('Silent-courtyard-8');
    await page.getByLabel('Repeat the password').fill('Silent-courtyard-8');
    await page.getByRole('button', { name: 'Save' }).click();
    await expect(page.getByText('Your password was changed')).toBeVisible();
    await page.getByLabel('E-mail').fill(email);
    await page.getByLabel('Password').fill('Silent-courtyard-8');
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await isIn();
  } finally {
    await page.goto('about:blank');
    await server.stop();
    mails.stop();
  }
});

test('the ways that the server has are offered, and an error from elsewhere is told in words', async ({ page }) => {
  const server = await start({
    ATRIUM_ADMIN_PASSWORD: admin.password,
    ATRIUM_SSO_GITHUB_CLIENT_ID: 'x',
    ATRIUM_SSO_GITHUB_CLIENT_SECRET: 'y',
  });
  try {
    await page.goto(`${server.url}/sign-in?error=unknown_person&next=/agents`);
    await expect(page.getByRole('alert')).toContainText('Ask an administrator for an invitation');
    await expect(page.getByRole('link', { name: 'Continue with GitHub' })).toHaveAttribute('href', '/auth-service/api/v2/sso/github/login?next=%2Fagents');
    await expect(page.getByRole('link', { name: /Google/ })).toHaveCount(0);
    await expect(page.getByRole('button', { name: 'Sign in by a code in a mail' })).toHaveCount(0);
    await checkView(page);
  } finally {
    await page.goto('about:blank');
    await server.stop();
  }
});
