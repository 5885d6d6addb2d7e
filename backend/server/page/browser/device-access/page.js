import { h, nextTick, onMounted, onUnmounted, ref, shallowRef, watch } from 'vue';

import { admit, dismiss, listRequests } from './enrolment-api.js';
import { EnrolmentWindow } from './enrolment-window.js';
import { facts } from './facts.js';
import { reasonOf } from './reasons.js';
import { replacementDialog } from './replacement-dialog.js';

const SEARCH_WAIT_MS = 250;

export const routes = [
  {
    path: '/admin/edge/ota/_device-access',
    meta: { title: 'Device access' },
    component: { name: 'DeviceAccessPage', setup },
  },
];

function setup() {
  const search = ref('');
  const requests = shallowRef([]);
  const nextCursor = ref(null);
  const loading = ref(true);
  const problem = ref(null);
  const outcome = ref('');
  /** Ids of requests that are being admitted or dismissed. */
  const pending = shallowRef(new Set());
  const title = ref(null);
  let latest = 0;

  /** Responses may arrive out of order: only that of the latest request counts. */
  async function load(more) {
    const request = ++latest;
    loading.value = true;
    try {
      const page = await listRequests(search.value, more ? nextCursor.value : null);
      if (request !== latest) return;
      requests.value = more ? [...requests.value, ...page.requests] : page.requests;
      nextCursor.value = page.next_cursor;
      problem.value = null;
    } catch (error) {
      if (request === latest) problem.value = error.message;
    } finally {
      if (request === latest) loading.value = false;
    }
  }

  /** Removes the device from the list once the server has answered, and says so. */
  async function decide(request, send, said) {
    const id = request.request_id;
    pending.value = new Set([...pending.value, id]);
    try {
      await send(request);
      requests.value = requests.value.filter((other) => other.request_id !== id);
      problem.value = null;
      outcome.value = said;
      // The button that had the focus is gone.
      await nextTick();
      title.value?.focus();
      if (requests.value.length === 0) await load(false);
    } catch (error) {
      problem.value = `${request.device_name}: ${error.message}`;
    } finally {
      pending.value = new Set([...pending.value].filter((other) => other !== id));
    }
  }

  const admitNow = (request) => decide(request, admit, `${request.device_name} was admitted.`);
  const dialog = replacementDialog((request) => void admitNow(request));
  const actions = {
    admit: (request) => void (request.enrolled_at ? dialog.open(request) : admitNow(request)),
    dismiss: (request) =>
      void decide(request, dismiss, `${request.device_name} was removed from the list.`),
  };

  let searchTimer;
  watch(search, () => {
    clearTimeout(searchTimer);
    searchTimer = setTimeout(() => void load(false), SEARCH_WAIT_MS);
  });
  onMounted(() => load(false));
  onUnmounted(() => clearTimeout(searchTimer));

  return () =>
    h('div', { class: 'page' }, [
      h('div', { class: 'page-head' }, [h('h1', 'Device access')]),
      h(EnrolmentWindow),
      h('section', { 'aria-labelledby': 'requests-title' }, [
        h('div', { class: 'access-list-head' }, [
          h('h2', { id: 'requests-title', ref: title, tabindex: -1 }, 'Refused devices'),
          h('input', {
            type: 'search',
            class: 'search',
            placeholder: 'Name or hardware id',
            'aria-label': 'Search refused devices by name or hardware id',
            value: search.value,
            onInput: (event) => (search.value = event.target.value),
          }),
          h(
            'button',
            {
              type: 'button',
              class: 'button',
              disabled: loading.value,
              onClick: () => load(false),
            },
            'Refresh',
          ),
        ]),
        problem.value ? h('p', { class: 'problem', role: 'alert' }, problem.value) : null,
        h('p', { class: ['soft', 'outcome'], role: 'status' }, outcome.value),
        requests.value.length > 0
          ? h(
              'ul',
              { class: 'access-list' },
              requests.value.map((request) =>
                refusedDevice(request, pending.value.has(request.request_id), actions),
              ),
            )
          : emptyNote(loading.value, problem.value, search.value),
        nextCursor.value
          ? h(
              'button',
              {
                type: 'button',
                class: 'button',
                disabled: loading.value,
                onClick: () => load(true),
              },
              'Show more',
            )
          : null,
      ]),
      dialog.render(),
    ]);
}

function refusedDevice(request, busy, actions) {
  const { label, warn, sentence } = reasonOf(request);
  const button = (text, style, act) =>
    h(
      'button',
      {
        type: 'button',
        class: ['button', style],
        disabled: busy,
        'aria-label': `${text} ${request.device_name}`,
        onClick: () => act(request),
      },
      text,
    );
  return h('li', { key: request.request_id, class: 'card access-request' }, [
    h('div', { class: 'access-title' }, [
      h('h3', request.device_name),
      h('span', { class: ['badge', warn ? 'warn' : 'idle'] }, label),
      h('div', { class: 'access-actions' }, [
        button('Remove', null, actions.dismiss),
        button('Admit', 'primary', actions.admit),
      ]),
    ]),
    h('p', sentence),
    facts([
      ['Type', request.device_type],
      ['Hardware id', request.hardware_id, 'mono'],
      ['Called from', request.address, 'mono'],
      ['Token', request.token_fingerprint, 'mono'],
      ['First refused', time(request.first_seen_at)],
      ['Last refused', time(request.last_seen_at)],
      ['Attempts', request.attempts.toLocaleString()],
      ['Enrolled', request.enrolled_at && time(request.enrolled_at)],
    ]),
  ]);
}

function emptyNote(loading, problem, search) {
  if (loading) return h('p', { class: 'card empty soft' }, 'Loading…');
  if (problem) return null;
  const text = search ? 'No refused device matches.' : 'No device was refused.';
  return h('p', { class: 'card empty soft' }, text);
}

function time(at) {
  return new Date(at).toLocaleString();
}
