/**
 * The arrows of the architecture. Each rule says what is forbidden and why; docs/decisions/ says more
 * about the ones that cost something.
 */

/** Rules of the product as plain functions over plain values. */
const PURE =
  '^backend/(deployments/rules/.*|targeting/version-filter|devices/poll-decision|contract/version)\\.ts$';
/** Types that rules are written in. */
const VOCABULARY =
  '^backend/(deployments/model/deployment\\.types|audit/(actor|event\\.ports)|kernel/admin-caller)\\.ts$';

/**
 * The folders of `backend/`, each of which may import those before it and none after it, so that no
 * folder imports one that imports it. A new folder takes its place here.
 */
const BACKEND_LAYERS = [
  'contract',
  'kernel',
  'observability',
  'database',
  'http',
  'audit',
  'targeting',
  'packages',
  'deployments',
  'devices',
  'fleet',
  'metrics',
  'live-updates',
  'api',
];

/** The same for the folders of `backend/deployments/`. */
const DEPLOYMENT_LAYERS = [
  'model',
  'rules',
  'storage',
  'transaction',
  'targets',
  'reading',
  'creation',
  'control',
  'rollout',
];

/** Files beside the folders that import none of them: any folder may import these. */
const BACKEND_LEAVES = '^backend/(config|host-contract)\\.ts$';

const PRODUCT = '^(backend|jobs|migrations|agent|frontend)/';

/** One rule for each folder: nothing in it imports from a folder that stands after it. */
function layered(parent, layers) {
  return layers.slice(0, -1).map((layer, index) => ({
    name: `layers-of-${parent.replaceAll('/', '-')}`,
    comment: `A folder imports only those before it in the list of layers: ${layers.join(', ')}.`,
    severity: 'error',
    from: { path: `^${parent}/${layer}/` },
    to: { path: `^${parent}/(${layers.slice(index + 1).join('|')})/` },
  }));
}

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...layered('backend', BACKEND_LAYERS),
    ...layered('backend/deployments', DEPLOYMENT_LAYERS),
    {
      name: 'every-folder-is-a-layer',
      comment: 'A folder that is not in the list of layers would escape the rule.',
      severity: 'error',
      from: {
        path: ['^backend/[^/]+/', '^backend/deployments/'],
        pathNot: [
          `^backend/(${BACKEND_LAYERS.filter((layer) => layer !== 'deployments').join('|')})/`,
          `^backend/deployments/(${DEPLOYMENT_LAYERS.join('|')})/`,
        ],
      },
      to: {},
    },
    {
      name: 'folders-know-no-wiring',
      comment: 'The files beside the folders put them together; folders do not import them.',
      severity: 'error',
      from: { path: '^backend/[^/]+/' },
      to: { path: '^backend/[^/]+\\.ts$', pathNot: BACKEND_LEAVES },
    },
    {
      name: 'no-cycle',
      comment: 'Files that need each other are one file, or lack a third.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'resolvable',
      comment: 'An import that leads nowhere would also escape every other rule.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'pure-rules',
      comment: 'Rules of the product know the vocabulary and each other; no library, no service.',
      severity: 'error',
      from: { path: PURE },
      to: { pathNot: [PURE, VOCABULARY, '^backend/contract/', '^backend/kernel/errors\\.ts$'] },
    },
    {
      name: 'contract-stands-alone',
      comment: 'The wire contract is shared with the page and the agent.',
      severity: 'error',
      from: { path: '^backend/contract/', pathNot: '^backend/contract/signing/' },
      to: { pathNot: '^backend/contract/' },
    },
    {
      name: 'signing-stands-alone',
      comment:
        'What is signed and who may sign is decided by the same few files on devices, servers and where packages are made.',
      severity: 'error',
      from: { path: '^backend/contract/signing/' },
      to: { pathNot: ['^backend/contract/signing/', 'node_modules/joi/', '^crypto$'] },
    },
    {
      name: 'page-knows-no-signing',
      comment: 'A browser has no business with it, and no node:crypto.',
      severity: 'error',
      from: { path: ['^frontend/', '^backend/contract/'], pathNot: '^backend/contract/signing/' },
      to: { path: '^backend/contract/signing/' },
    },
    {
      name: 'services-know-no-machinery',
      comment: 'Services speak to ports; HTTP, SQL and queues are behind them. Types count, too.',
      severity: 'error',
      from: { path: '\\.service\\.ts$' },
      to: {
        path: [
          'node_modules/(@types/)?(express|knex|pg|bullmq|ioredis)/',
          '^jobs/',
          '^backend/(http|api)/',
        ],
      },
    },
    {
      name: 'services-know-ports-not-repositories',
      comment: 'A service names what it needs in a ports file; the container chooses who gives it.',
      severity: 'error',
      from: { path: '\\.(service|controller)\\.ts$' },
      to: { path: '\\.repository\\.ts$' },
    },
    {
      name: 'inward-only',
      comment: 'Services and repositories know nothing of who calls them.',
      severity: 'error',
      from: { path: '\\.(service|repository)\\.ts$' },
      to: { path: '\\.controller\\.ts$' },
    },
    {
      name: 'sql-in-repositories',
      comment: 'Knex is for repositories and for files of SQL that several of them share.',
      severity: 'error',
      from: {
        path: '^backend/',
        pathNot: [
          '\\.(repository|sql)\\.ts$',
          '^backend/database/',
          '^backend/live-updates/postgres-change-feed\\.ts$',
          '^backend/(plugin|container|health|host-contract)\\.ts$',
        ],
      },
      to: { path: 'node_modules/(@types/)?(knex|pg)/' },
    },
    {
      name: 'queue-behind-two-files',
      comment:
        'BullMQ is an exchangeable part: two files know it, and tests that look into the queue.',
      severity: 'error',
      from: { pathNot: '^(jobs/(rollout-queue|workers)\\.ts$|test/)' },
      to: { path: 'node_modules/bullmq/' },
    },
    {
      name: 'metrics-behind-one-file',
      comment:
        'Services tell a port what happened; how it is counted and given out is one file’s matter.',
      severity: 'error',
      from: { pathNot: '^(backend/observability/prometheus-telemetry\\.ts$|test/)' },
      to: { path: 'node_modules/prom-client/' },
    },
    {
      name: 'page-and-agent-share-the-contract-only',
      comment: 'They run elsewhere and are released on their own.',
      severity: 'error',
      from: { path: '^(frontend|agent)/' },
      to: { path: '^(backend|jobs|migrations)/', pathNot: '^backend/contract/' },
    },
    {
      name: 'page-and-agent-are-strangers',
      severity: 'error',
      from: { path: '^(frontend|agent)/([^/]+)' },
      to: { path: '^(frontend|agent)/', pathNot: '^$1/' },
    },
    {
      name: 'nobody-needs-the-command',
      comment: 'The command ota stands on agent and contract; nothing stands on it.',
      severity: 'error',
      from: { path: PRODUCT, pathNot: '^agent/ota/' },
      to: { path: '^agent/ota/' },
    },
    {
      name: 'migrations-stand-alone',
      comment: 'A migration that landed never changes; application code does.',
      severity: 'error',
      from: { path: '^migrations/' },
      to: { path: '^(backend|jobs|agent|frontend|dev|test)/' },
    },
    {
      name: 'product-without-tools',
      comment: 'What is shipped does not need what it is developed and tested with.',
      severity: 'error',
      from: { path: PRODUCT },
      to: { path: '^(dev|test)/' },
    },
    {
      name: 'product-without-dev-dependencies',
      comment: 'npm does not install them where the package is used. The page is bundled.',
      severity: 'error',
      from: { path: '^(backend|jobs|migrations|agent)/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'host-loads-through-the-manifest',
      comment: 'The stand-in knows the contract of plugins and nothing of this one.',
      severity: 'error',
      from: { path: '^dev/host/' },
      to: { path: PRODUCT, pathNot: '^backend/host-contract\\.ts$' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
    },
  },
};
