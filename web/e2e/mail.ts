import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

/** A mail that was sent. */
interface Letter {
  to: string;
  text: string;
}

/** A mail server that keeps what it is given. */
export async function mailbox(): Promise<{ url: string; letter: (to: string, about: RegExp) => Letter | undefined; stop: () => void }> {
  const letters: Letter[] = [];
  const server = createServer((socket) => {
    let rest = '';
    let body: string[] | undefined;
    let to = '';
    const say = (line: string) => socket.write(`${line}\r\n`);
    const hear = (line: string) => {
      if (body) {
        if (line !== '.') return void body.push(line.startsWith('..') ? line.slice(1) : line);
        letters.push({ to, text: decode(body.join('\n')) });
        body = undefined;
        return say('250 kept');
      }
      const word = line.slice(0, 4).toUpperCase();
      if (word === 'RCPT') to = /<(.+)>/.exec(line)?.[1] ?? '';
      if (word === 'DATA') {
        body = [];
        return say('354 go on');
      }
      if (word === 'QUIT') return socket.end('221 bye\r\n');
      say(word === 'EHLO' ? '250 here' : '250 fine');
    };
    socket.on('error', () => undefined);
    socket.on('data', (piece) => {
      rest += piece.toString();
      for (let at = rest.indexOf('\r\n'); at >= 0; at = rest.indexOf('\r\n')) {
        const line = rest.slice(0, at);
        rest = rest.slice(at + 2);
        hear(line);
      }
    });
    say('220 test');
  });
  await new Promise<void>((r) => server.listen(0, '127.0.0.1', r));
  const { port } = server.address() as AddressInfo;
  return {
    url: `smtp://127.0.0.1:${port}`,
    letter: (to, about) => letters.filter((l) => l.to === to && about.test(l.text)).at(-1),
    stop: () => server.close(),
  };
}

/** Undoes the encoding of mails well enough to find links and codes. */
function decode(text: string): string {
  return text.replace(/=\n/g, '').replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
}
