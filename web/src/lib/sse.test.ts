import { describe, expect, it } from 'vitest';
import { SseParser } from './sse';

const wire = 'id: 7-1\nevent: start\ndata: {"step":"start"}\n\nid: 7-2\nevent: token\ndata: {"delta":"a: b"}\n\n';

describe('SseParser', () => {
  it('reads events with their ids', () => {
    expect(new SseParser().push(wire)).toEqual([
      { id: '7-1', event: 'start', data: '{"step":"start"}' },
      { id: '7-2', event: 'token', data: '{"delta":"a: b"}' },
    ]);
  });

  it('gives the same events however the text is cut', () => {
    for (const text of [wire, wire.replaceAll('\n', '\r\n'), wire.replaceAll('\n', '\r')]) {
      const whole = new SseParser().push(text + '\n');
      expect(whole).toHaveLength(2);
      for (let cut = 1; cut < text.length; cut++) {
        const parser = new SseParser();
        expect([...parser.push(text.slice(0, cut)), ...parser.push(text.slice(cut) + '\n')]).toEqual(whole);
      }
    }
  });

  it('joins data lines, keeps the id for later events and skips comments', () => {
    expect(new SseParser().push(': hi\n\nid: 3\ndata: a\ndata:b\n\ndata\n\n')).toEqual([
      { id: '3', event: 'message', data: 'a\nb' },
      { id: '3', event: 'message', data: '' },
    ]);
  });

  it('holds back an event that is not finished', () => {
    const parser = new SseParser();
    expect(parser.push('data: half')).toEqual([]);
    expect(parser.push('\n')).toEqual([]);
    expect(parser.push('\n')).toEqual([{ id: '', event: 'message', data: 'half' }]);
  });
});
