/** One server-sent event: the last id seen, the event's name, its data lines joined. */
export interface SseEvent {
  id: string;
  event: string;
  data: string;
}

/** Reads server-sent events from text that arrives in pieces cut anywhere. */
export class SseParser {
  private rest = '';
  private id = '';
  private event = '';
  private data: string[] = [];

  /** Takes the next piece of text; answers the events that it completes. */
  push(text: string): SseEvent[] {
    this.rest += text;
    const out: SseEvent[] = [];
    for (;;) {
      const at = this.rest.search(/[\r\n]/);
      if (at < 0) break;
      // A CR at the end may be the first half of a CRLF.
      if (this.rest[at] === '\r' && at === this.rest.length - 1) break;
      const line = this.rest.slice(0, at);
      this.rest = this.rest.slice(this.rest.startsWith('\r\n', at) ? at + 2 : at + 1);
      const done = this.line(line);
      if (done) out.push(done);
    }
    return out;
  }

  private line(line: string): SseEvent | undefined {
    if (line === '') {
      const { event, data } = this;
      this.event = '';
      this.data = [];
      if (data.length === 0) return undefined;
      return { id: this.id, event: event || 'message', data: data.join('\n') };
    }
    const colon = line.indexOf(':');
    if (colon === 0) return undefined;
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? '' : line.slice(colon + 1);
    if (value.startsWith(' ')) value = value.slice(1);
    if (field === 'data') this.data.push(value);
    else if (field === 'event') this.event = value;
    else if (field === 'id' && !value.includes('\0')) this.id = value;
    return undefined;
  }
}
