import type { Doc } from '../../api/types';
import { t } from '../../strings';

const order = ['pending', 'extracting', 'chunking', 'embedding', 'completed'];

/** Says whether a document will not change any more by itself. */
export function isSettled(doc: Pick<Doc, 'step' | 'is_failed'>): boolean {
  return doc.is_failed || doc.step === 'completed';
}

/** How far indexing is, as a part from 0 to 1; steps, not time. */
export function stepPart(step: string): number {
  return Math.max(0, order.indexOf(step)) / (order.length - 1);
}

/** The word for a step. */
export function stepName(step: string): string {
  const name = t.corpus.step[step];
  return typeof name === 'string' ? name : step;
}
