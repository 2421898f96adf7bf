import { describe, expect, it } from 'vitest';
import { failure, fieldProblem } from './error';

describe('failure', () => {
  it('reads the envelope', () => {
    const e = failure(
      400,
      '{"success":false,"message":"name is missing","data":null,"error":{"code":"invalid_input","fields":[{"field":"body.name","message":"is required"}]}}',
      'r1',
    );
    expect([e.status, e.message, e.code, e.requestId]).toEqual([400, 'name is missing', 'invalid_input', 'r1']);
    expect(fieldProblem(e, 'name')).toBe('is required');
    expect(fieldProblem(e, 'title')).toBeUndefined();
  });

  it.each(['<html>502</html>', '', 'null', '[]', '{"message":7,"error":3}'])('survives %j', (body) => {
    const e = failure(502, body, '');
    expect([e.status, e.message, e.fields]).toEqual([502, '', []]);
  });
});
