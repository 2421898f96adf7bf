import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { Tooltip } from 'radix-ui';
import { renderToStaticMarkup } from 'react-dom/server';
import { describe, expect, it, vi } from 'vitest';
import type { Found, FoundList } from '../../api/types';
import { Results, Why } from './search';

vi.mock('@tanstack/react-router', async (original) => ({ ...(await original()), Link: 'a' }));

const passage: Found = {
  document_id: 1,
  corpus_id: 1,
  version: 1,
  title: 'House rules',
  heading: '',
  page: 0,
  start: 0,
  end: 20,
  text: 'The oven is off.',
  score: 0.5,
  lexical: 2,
  vector: 0,
  rerank: null,
  parts: { words: 2, titles: 0, neighbours: 0, near: 0, related: 0, lexical: 0, vector: 0 },
  coverage: 1,
  terms: [],
  related: [],
  before: '',
  after: '',
  duplicates: [],
};

function html(found: FoundList): string {
  return renderToStaticMarkup(
    <QueryClientProvider client={new QueryClient()}>
      <Tooltip.Provider>
        <Results found={found} stale={false} />
      </Tooltip.Provider>
    </QueryClientProvider>,
  );
}

function why(rerank: number | null): string {
  return renderToStaticMarkup(
    <Tooltip.Provider>
      <Why passage={{ ...passage, rerank }} best={{ score: 1, lexical: 2 }} />
    </Tooltip.Provider>,
  );
}

describe('why a passage stands where it stands', () => {
  it('shows what the reranker gave it, before the score', () => {
    const out = why(0.93456);
    expect(out).toContain('0.935');
    expect(out).toContain('width:93%');
    expect(out.indexOf('Reranker')).toBeLessThan(out.indexOf('Score'));
  });

  it.each([
    [0, '0.000', 'width:0%'],
    [-4.2, '-4.200', 'width:0%'],
    [7, '7.000', 'width:100%'],
  ])('keeps %d within its bar', (score, text, width) => {
    expect(why(score)).toContain(text);
    expect(why(score)).toContain(width);
  });

  it('says nothing of a reranker that did not look at it', () => {
    expect(why(null)).not.toContain('Reranker');
  });
});

describe('the passages of a search', () => {
  it('tells when the reranker failed, and only then', () => {
    const said = 'The reranker failed or was too slow';
    expect(html({ passages: [passage], reranking: 'failed' })).toContain(said);
    expect(html({ passages: [passage], reranking: 'none' })).not.toContain(said);
    expect(html({ passages: [{ ...passage, rerank: 0.5 }], reranking: 'done' })).not.toContain(said);
  });
});
