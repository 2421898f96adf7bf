/** One bad field of a request, named as it was sent. */
export interface FieldProblem {
  field: string;
  message: string;
}

/** A request that the server refused or that never reached it (status 0). */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly fields: FieldProblem[];
  /** What to quote when asking for help; empty when the server was not reached. */
  readonly requestId: string;

  constructor(status: number, message: string, code = '', fields: FieldProblem[] = [], requestId = '') {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
    this.fields = fields;
    this.requestId = requestId;
  }
}

interface Envelope {
  message?: unknown;
  error?: { code?: unknown; fields?: unknown };
}

/** Reads a failure from what came over the wire; body is the text of the answer. */
export function failure(status: number, body: string, requestId: string): ApiError {
  let envelope: Envelope = {};
  try {
    const parsed: unknown = JSON.parse(body);
    if (parsed && typeof parsed === 'object') envelope = parsed;
  } catch {
    // A proxy's page says nothing that a person can use.
  }
  const message = typeof envelope.message === 'string' ? envelope.message : '';
  const code = typeof envelope.error?.code === 'string' ? envelope.error.code : '';
  const fields = Array.isArray(envelope.error?.fields) ? (envelope.error.fields as FieldProblem[]) : [];
  return new ApiError(status, message, code, fields, requestId);
}

/** The failure of a fetch response whose status is not a success. */
export async function failureOf(response: Response): Promise<ApiError> {
  const body = await response.text().catch(() => '');
  return failure(response.status, body, response.headers.get('X-Request-Id') ?? '');
}

/** What the problem is with one field, if the server named it. */
export function fieldProblem(error: unknown, field: string): string | undefined {
  if (!(error instanceof ApiError)) return undefined;
  return error.fields.find((f) => f.field === field || f.field.endsWith('.' + field))?.message;
}
