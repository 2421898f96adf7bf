import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const binary = process.env.ATRIUM_E2E_BINARY ?? fileURLToPath(new URL('../../bin/atrium', import.meta.url));

export const admin = { email: 'admin@example.org', password: 'Correct-horse-7' };

/** A server of its own, with an empty data folder that goes when it stops. */
export interface Running {
  url: string;
  /** What it printed at its start. */
  output: () => string;
  stop: () => Promise<void>;
}

/** A port that the system gives nobody of its own accord, or somebody else could have it before the server. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 22_000);
    const probe = createServer();
    const free = await new Promise<boolean>((done) => {
      probe.once('error', () => done(false));
      probe.listen(port, '127.0.0.1', () => probe.close(() => done(true)));
    });
    if (free) return port;
  }
}

/** Starts the built binary and waits until it is ready. */
export async function start(env: Record<string, string> = {}): Promise<Running> {
  if (!existsSync(binary)) throw new Error(`${binary} is not there: run make build first`);
  const data = mkdtempSync(join(tmpdir(), 'atrium-e2e-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(([k]) => !/^(ATRIUM_|OPENAI_|ANTHROPIC_)/.test(k)),
  );
  const child: ChildProcess = spawn(binary, ['serve'], {
    cwd: data,
    env: { ...inherited, ATRIUM_DATA: data, ATRIUM_LISTEN: `127.0.0.1:${port}`, ATRIUM_PUBLIC_URL: url, ATRIUM_ADMIN_EMAIL: admin.email, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout?.on('data', (b: Buffer) => (output += b.toString()));
  child.stderr?.on('data', (b: Buffer) => (output += b.toString()));
  const exited = new Promise<void>((r) => child.once('exit', () => r()));
  const stop = async () => {
    child.kill('SIGTERM');
    await exited;
    rmSync(data, { recursive: true, force: true });
  };
  for (let i = 0; i < 600; i++) {
    if (child.exitCode !== null) throw new Error(`the server ended at its start:\n${output}`);
    const ready = await fetch(`${url}/readyz`).catch(() => undefined);
    if (ready?.ok) return { url, output: () => output, stop };
    await new Promise((r) => setTimeout(r, 100));
  }
  await stop();
  throw new Error(`the server did not become ready:\n${output}`);
}

/** A model that answers as an OpenAI-compatible endpoint does, with the given words at the given pace. */
export async function fakeModel(words: string[], pause: number): Promise<{ url: string; stop: () => void }> {
  const server: Server = createServer((request, response) => {
    let body = '';
    request.on('data', (b: Buffer) => (body += b.toString()));
    request.on('end', () => void answer(body));
    const answer = async (text: string) => {
      const asked = text ? (JSON.parse(text) as { stream?: boolean }) : {};
      const head = { id: 'c1', created: 1, model: 'fake' };
      if (!asked.stream) {
        response.writeHead(200, { 'Content-Type': 'application/json' });
        const message = { role: 'assistant', content: words.join('') };
        response.end(JSON.stringify({ ...head, object: 'chat.completion', choices: [{ index: 0, message, finish_reason: 'stop' }] }));
        return;
      }
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      const piece = (delta: object, finish_reason: string | null) =>
        response.write(`data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason }] })}\n\n`);
      piece({ role: 'assistant', content: '' }, null);
      for (const word of words) {
        if (response.destroyed) return;
        piece({ content: word }, null);
        if (pause > 0) await new Promise((r) => setTimeout(r, pause));
      }
      piece({}, 'stop');
      response.end('data: [DONE]\n\n');
    };
  });
  await new Promise<void>((r) => server.listen(0, '127.0.0.1', r));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
