/** What a device request claims: which device sent it, with which token. */
import type { IncomingMessage } from 'node:http';
import { parse } from 'node:querystring';

import { bearerToken } from '../host/tokens.ts';

/** As Ops-Center issues tokens. Others are never enrolled, such as the `null` of an agent that lost its token. */
const TOKEN = /^[0-9a-f]{64}$/i;
/** As PostgreSQL writes ids. The plugin compares ids as text, so other spellings would be rejected later. */
const DEVICE_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** `null`: the request has no token that Ops-Center could have issued. */
export function deviceToken(request: IncomingMessage): string | null {
  const token = bearerToken(request.headers.authorization);
  return token !== null && TOKEN.test(token) ? token : null;
}

/** The parameter `device_id`, or `null` if it is missing or not an id. */
export function claimedDeviceId(request: IncomingMessage): string | null {
  const url = request.url ?? '';
  const mark = url.indexOf('?');
  const id = mark < 0 ? undefined : parse(url.slice(mark + 1))['device_id'];
  return typeof id === 'string' && DEVICE_ID.test(id) ? id : null;
}
