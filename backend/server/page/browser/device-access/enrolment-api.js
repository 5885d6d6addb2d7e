import { requestJson } from '../api.js';

const ENROLMENT = '/api/v1/admin/ota-server/enrolment';
const PAGE_SIZE = '50';

/** @param cursor `null`: the first page */
export function listRequests(search, cursor) {
  const query = new URLSearchParams({ limit: PAGE_SIZE });
  if (search) query.set('search', search);
  if (cursor !== null) query.set('cursor', cursor);
  return requestJson(`${ENROLMENT}/requests?${query}`);
}

export function admit({ request_id: id }) {
  return requestJson(`${ENROLMENT}/requests/${encodeURIComponent(id)}/admit`, {
    method: 'POST',
    body: {},
  });
}

export function dismiss({ request_id: id }) {
  return requestJson(`${ENROLMENT}/requests/${encodeURIComponent(id)}`, { method: 'DELETE' });
}

export function getWindow() {
  return requestJson(`${ENROLMENT}/window`);
}

export function openWindow(hours) {
  return requestJson(`${ENROLMENT}/window`, { method: 'POST', body: { hours } });
}

export function closeWindow() {
  return requestJson(`${ENROLMENT}/window`, { method: 'DELETE' });
}
