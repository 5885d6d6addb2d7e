/**
 * Which answers come from the product. Pure. Between device and server there may be an ingress, a captive
 * portal, a maintenance page, or a host that is still starting: their answers mean "try again later", whatever
 * the status.
 */
import { PROBLEMS, type ProblemCode } from '../../../backend/contract/problem.ts';
import type { HttpAnswer } from './http-client.ts';

/** What came of a report or a chunk of log. */
export type Reception =
  /** The server has it, from this call or an earlier one. */
  | 'recorded'
  /** The server will never accept it. */
  | 'refused'
  /** No answer from the product; to be sent again. */
  | 'unknown';

/** Answers of the product after which the same message may be accepted later. 401 and 403 are about the sender only. */
const TEMPORARY = new Set([401, 403, 408, 425, 429]);
/** Refusals that mean the attempt is cancelled. */
const CANCELLING = new Set([404, 409, 410]);

/** The product's error code, from an `application/problem+json` body; `null`: an answer from something else. */
export function problemCode(answer: HttpAnswer): ProblemCode | null {
  if (answer.status < 400 || answer.mediaType !== 'application/problem+json') return null;
  const code = fieldOf(answer, 'code');
  return typeof code === 'string' && Object.hasOwn(PROBLEMS, code) ? (code as ProblemCode) : null;
}

export function receptionOf(kind: 'status' | 'log', answer: HttpAnswer): Reception {
  if (answer.status < 300) {
    const recorded =
      kind === 'status' ? fieldOf(answer, 'status') === 'success' : isJsonObject(answer.body);
    return recorded ? 'recorded' : 'unknown';
  }
  const code = problemCode(answer);
  if (code === null || answer.status >= 500 || TEMPORARY.has(answer.status)) return 'unknown';
  // The report is behind what is recorded: the server has this or a later one.
  return code === 'stale_status' ? 'recorded' : 'refused';
}

/** Whether the server refuses the report because the attempt is cancelled. */
export function cancelsAttempt(answer: HttpAnswer): boolean {
  return CANCELLING.has(answer.status) && problemCode(answer) !== null;
}

export function isJsonObject(body: unknown): body is Record<string, unknown> {
  return typeof body === 'object' && body !== null && !Array.isArray(body);
}

/** Status and explanation: `409 stale_attempt: …`; for an answer from something else, what it is. */
export function describeAnswer(answer: HttpAnswer): string {
  if (answer.status < 400 || !isJsonObject(answer.body)) {
    const target = answer.location === null ? '' : ` and a redirect to ${answer.location}`;
    return `${answer.status} with ${answer.mediaType ?? 'no content'}${target}, which is not an answer from Ops-Center`;
  }
  const code = fieldOf(answer, 'code');
  const why = [fieldOf(answer, 'detail'), fieldOf(answer, 'message')].find(
    (text) => typeof text === 'string',
  );
  const explained = why ? `: ${String(why).slice(0, 300)}` : '';
  return `${answer.status}${typeof code === 'string' ? ` ${code}` : ''}${explained}`;
}

function fieldOf({ body }: HttpAnswer, name: string): unknown {
  return isJsonObject(body) && Object.hasOwn(body, name) ? body[name] : undefined;
}
