import { h, inject, onMounted, ref, watch } from 'vue';

import { addDeviceDialog } from './add-device-dialog.js';

const SEARCH_WAIT_MS = 250;
const COLUMNS = ['Name', 'Type', 'Version', 'Status', 'Last seen', 'Address'];

export const routes = [
  {
    path: '/admin/edge/devices',
    meta: { title: 'Devices' },
    component: { name: 'DevicesPage', setup },
  },
];

function setup() {
  const requestJson = inject('requestJson');
  const search = ref('');
  const devices = ref([]);
  const nextCursor = ref(null);
  const problem = ref(null);
  const loading = ref(true);
  const dialog = addDeviceDialog(requestJson, () => load(false));
  let latest = 0;

  /** Responses may arrive out of order: only that of the latest request counts. */
  async function load(more) {
    const request = ++latest;
    const query = new URLSearchParams({ search: search.value, limit: '50' });
    if (more) query.set('cursor', nextCursor.value);
    loading.value = true;
    try {
      const page = await requestJson(`/api/v1/admin/edge/devices?${query}`);
      if (request !== latest) return;
      devices.value = more ? [...devices.value, ...page.devices] : page.devices;
      nextCursor.value = page.next_cursor;
      problem.value = null;
    } catch (error) {
      if (request === latest) problem.value = error.message;
    } finally {
      if (request === latest) loading.value = false;
    }
  }

  let searchTimer;
  watch(search, () => {
    clearTimeout(searchTimer);
    searchTimer = setTimeout(() => void load(false), SEARCH_WAIT_MS);
  });
  onMounted(() => load(false));

  return () =>
    h('div', { class: 'page' }, [
      h('div', { class: 'page-head' }, [
        h('h1', 'Devices'),
        h('input', {
          type: 'search',
          class: 'search',
          placeholder: 'Name or type',
          'aria-label': 'Search devices by name or type',
          value: search.value,
          onInput: (event) => (search.value = event.target.value),
        }),
        h(
          'button',
          { type: 'button', class: 'button primary', onClick: dialog.open },
          'Add a device',
        ),
      ]),
      problem.value ? h('p', { class: 'problem', role: 'alert' }, problem.value) : null,
      h('div', { class: 'card table-card' }, [
        deviceTable(devices.value),
        emptyNote(devices.value, loading.value, search.value),
      ]),
      nextCursor.value
        ? h('button', { type: 'button', class: 'button', onClick: () => load(true) }, 'Show more')
        : null,
      dialog.render(),
    ]);
}

function deviceTable(devices) {
  return h('table', [
    h('thead', [h('tr', [COLUMNS.map((title) => h('th', { scope: 'col' }, title))])]),
    h('tbody', [
      devices.map((device) =>
        h('tr', { key: device.device_id }, [
          h('td', { class: 'strong' }, device.device_name),
          h('td', device.device_type ?? '–'),
          h('td', { class: 'mono' }, device.firmware_version ?? '–'),
          h('td', [
            h(
              'span',
              { class: ['badge', device.status === 'online' ? 'good' : 'idle'] },
              device.hardware_id ? device.status : 'not registered',
            ),
          ]),
          h('td', { class: 'soft' }, lastSeen(device.last_seen)),
          h('td', { class: 'mono soft' }, device.ip_address ?? '–'),
        ]),
      ),
    ]),
  ]);
}

function emptyNote(devices, loading, search) {
  if (devices.length > 0) return null;
  if (loading) return h('p', { class: 'empty soft' }, 'Loading…');
  const text = search ? 'No device matches.' : 'No devices yet. Add one and register it.';
  return h('p', { class: 'empty soft' }, text);
}

function lastSeen(at) {
  return at ? new Date(at).toLocaleString() : 'Never';
}
