import { h, onMounted, onUnmounted, ref } from 'vue';

const REFRESH_MS = 10_000;
const SUMMARY = {
  ok: 'All checks pass.',
  unavailable: 'At least one check fails.',
  unreachable: 'The host does not respond.',
};

export const routes = [
  {
    path: '/admin/system/health',
    meta: { title: 'Health' },
    component: { name: 'HealthPage', setup },
  },
];

function setup() {
  const state = ref(null);
  let timer;
  const refresh = async () => {
    state.value = await fetch('/health/ready').then(
      (response) => response.json(),
      () => ({ status: 'unreachable', checks: {} }),
    );
  };
  onMounted(() => {
    void refresh();
    timer = setInterval(() => void refresh(), REFRESH_MS);
  });
  onUnmounted(() => clearInterval(timer));
  return () =>
    h('div', { class: 'page' }, [
      h('div', { class: 'page-head' }, [h('h1', 'Health')]),
      state.value ? report(state.value) : h('p', { class: 'soft' }, 'Checking…'),
    ]);
}

function report({ status, checks }) {
  const { plugin, ...own } = checks;
  const all = { ...own, ...(plugin?.checks ?? (plugin ? { plugin } : {})) };
  return [
    h('p', { role: 'status' }, SUMMARY[status]),
    h('div', { class: 'card table-card' }, [
      h('table', [
        h('thead', h('tr', [h('th', 'Component'), h('th', 'Status'), h('th', 'Details')])),
        h(
          'tbody',
          Object.entries(all).map(([name, check]) =>
            h('tr', { key: name }, [
              h('td', name),
              h('td', badge(check.healthy)),
              h('td', { class: 'soft' }, check.detail ?? ''),
            ]),
          ),
        ),
      ]),
    ]),
  ];
}

function badge(healthy) {
  return h(
    'span',
    { class: ['badge', healthy ? 'good' : 'bad'] },
    healthy ? 'healthy' : 'unhealthy',
  );
}
