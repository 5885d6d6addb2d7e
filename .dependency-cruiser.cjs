/** The allowed dependencies between folders, files and packages. Each rule gives the reason. */

/** The product's rules: pure functions. */
const PURE = '^backend/(deployments/rules/.*|targeting/version-filter|contract/version)\\.ts$';
/** Types that the rules use. */
const RULE_TYPES =
  '^backend/(deployments/model/deployment\\.types|audit/(actor|event\\.ports)|kernel/admin-caller)\\.ts$';

/**
 * Folders in layers, lowest first. A folder may only import those before it, so there are no cycles between
 * folders. Add a new folder here.
 */
const LAYERS = {
  backend: [
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
    'server',
  ],
  'backend/server': ['postgres', 'host', 'admins', 'devices', 'page', 'settings'],
  'backend/deployments': [
    'model',
    'rules',
    'storage',
    'transaction',
    'targets',
    'requests',
    'reading',
    'creation',
    'control',
    'rollout',
  ],
  agent: ['kernel', 'files', 'logging', 'package', 'handoff', 'launcher', 'device', 'release-cli'],
  'agent/device': [
    'process',
    'boot',
    'config',
    'state',
    'network',
    'reports',
    'steps',
    'updates',
    'loop',
    'cli',
  ],
};

/** Files next to the folders that any folder may import, because they import no folder. */
const BACKEND_LEAVES = '^backend/(config|host-contract)\\.ts$';

/** The files that start ota-server, next to its folders. */
const SERVER_WIRING = '^backend/server/[^/]+\\.ts$';

const PRODUCT = '^(backend|jobs|migrations|agent|frontend)/';

/** One rule per folder: it must not import a folder after it. */
function layered(parent, layers) {
  return layers.slice(0, -1).map((layer, index) => ({
    name: `layers-of-${parent.replaceAll('/', '-')}`,
    comment: `A folder may only import the layers before it: ${layers.join(', ')}.`,
    severity: 'error',
    from: { path: `^${parent}/${layer}/` },
    to: { path: `^${parent}/(${layers.slice(index + 1).join('|')})/` },
  }));
}

/** Folders of a parent that have no folders of their own in {@link LAYERS}. */
function leavesOf(parent) {
  return LAYERS[parent].filter((layer) => !LAYERS[`${parent}/${layer}`]);
}

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...Object.entries(LAYERS).flatMap(([parent, layers]) => layered(parent, layers)),
    {
      name: 'every-folder-is-a-layer',
      comment: 'The layer rules only cover folders that are in the list of layers.',
      severity: 'error',
      from: {
        path: ['^(backend|agent)/[^/]+/', '^(backend/deployments|agent/device)/'],
        pathNot: [
          ...Object.keys(LAYERS).map((parent) => `^${parent}/(${leavesOf(parent).join('|')})/`),
          SERVER_WIRING,
        ],
      },
      to: {},
    },
    {
      name: 'folders-do-not-import-wiring',
      comment: 'The files next to the folders wire them together; folders do not import them.',
      severity: 'error',
      from: { path: '^(backend|agent)/[^/]+/' },
      to: { path: '^(backend|agent)/[^/]+\\.ts$', pathNot: BACKEND_LEAVES },
    },
    {
      name: 'folders-of-the-server-do-not-import-wiring',
      comment: 'The files next to the folders wire them together; folders do not import them.',
      severity: 'error',
      from: { path: '^backend/server/[^/]+/' },
      to: { path: SERVER_WIRING },
    },
    {
      name: 'no-cycle',
      comment: 'Merge files that import each other, or move what they share to a third file.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'resolvable',
      comment: 'An import that cannot be resolved would escape every other rule.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'pure-rules',
      comment: 'Rules import only their types and each other, no libraries or services.',
      severity: 'error',
      from: { path: PURE },
      to: { pathNot: [PURE, RULE_TYPES, '^backend/contract/', '^backend/kernel/errors\\.ts$'] },
    },
    {
      name: 'contract-is-self-contained',
      comment: 'The page and the agent also use the wire contract.',
      severity: 'error',
      from: { path: '^backend/contract/', pathNot: '^backend/contract/signing/' },
      to: { pathNot: '^backend/contract/' },
    },
    {
      name: 'signing-is-self-contained',
      comment:
        'Devices, servers and the ota command use the same files to sign and verify packages.',
      severity: 'error',
      from: { path: '^backend/contract/signing/' },
      to: { pathNot: ['^backend/contract/signing/', 'node_modules/joi/', '^crypto$'] },
    },
    {
      name: 'page-does-not-import-signing',
      comment: 'Signing needs node:crypto, which browsers do not have.',
      severity: 'error',
      from: { path: ['^frontend/', '^backend/contract/'], pathNot: '^backend/contract/signing/' },
      to: { path: '^backend/contract/signing/' },
    },
    {
      name: 'services-without-infrastructure',
      comment:
        'Services use ports; HTTP, SQL and queues are implemented behind them. This includes types.',
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
      name: 'services-use-ports-not-repositories',
      comment:
        'A service defines what it needs in a ports file; the container binds the implementation.',
      severity: 'error',
      from: { path: '\\.(service|controller)\\.ts$' },
      to: { path: '\\.repository\\.ts$' },
    },
    {
      name: 'controllers-are-outermost',
      comment: 'Services and repositories do not depend on their callers.',
      severity: 'error',
      from: { path: '\\.(service|repository)\\.ts$' },
      to: { path: '\\.controller\\.ts$' },
    },
    {
      name: 'sql-in-repositories',
      comment: 'Only repositories, and SQL files that several of them share, use Knex.',
      severity: 'error',
      from: {
        path: '^backend/',
        pathNot: [
          '\\.(repository|sql)\\.ts$',
          '^backend/database/',
          '^backend/server/',
          '^backend/live-updates/postgres-change-feed\\.ts$',
          '^backend/(plugin|container|health|host-contract)\\.ts$',
        ],
      },
      to: { path: 'node_modules/(@types/)?(knex|pg)/' },
    },
    {
      name: 'bullmq-in-two-files',
      comment: 'BullMQ is replaceable: only two files and the tests of the queue import it.',
      severity: 'error',
      from: { pathNot: '^(jobs/(rollout-queue|workers)\\.ts$|test/)' },
      to: { path: 'node_modules/bullmq/' },
    },
    {
      name: 'prom-client-in-one-file',
      comment: 'Services report to a port; one file counts and exposes the metrics.',
      severity: 'error',
      from: { pathNot: '^(backend/observability/prometheus-telemetry\\.ts$|test/)' },
      to: { path: 'node_modules/prom-client/' },
    },
    {
      name: 'page-and-agent-import-the-contract-only',
      comment: 'They run on other machines and are released separately.',
      severity: 'error',
      from: { path: '^(frontend|agent)/' },
      to: { path: '^(backend|jobs|migrations)/', pathNot: '^backend/contract/' },
    },
    {
      name: 'page-and-agent-are-independent',
      comment: 'They run on different machines and share only the contract.',
      severity: 'error',
      from: { path: '^(frontend|agent)/([^/]+)' },
      to: { path: '^(frontend|agent)/', pathNot: '^$1/' },
    },
    {
      name: 'nothing-imports-the-ota-command',
      comment: 'The ota command uses the agent and the contract; nothing uses the command.',
      severity: 'error',
      from: { path: PRODUCT, pathNot: '^agent/release-cli/' },
      to: { path: '^agent/release-cli/' },
    },
    {
      name: 'release-cli-without-device',
      comment: 'Packages are made where no agent runs, by the same rules: agent/package/ has them.',
      severity: 'error',
      from: { path: '^agent/release-cli/' },
      to: { path: '^agent/(device|launcher|handoff|logging)/' },
    },
    {
      name: 'migrations-are-self-contained',
      comment: 'Application code changes; a merged migration must not.',
      severity: 'error',
      from: { path: '^migrations/' },
      to: { path: '^(backend|jobs|agent|frontend|dev|test)/' },
    },
    {
      name: 'product-without-tools',
      comment: 'The shipped code must not depend on development tools and tests.',
      severity: 'error',
      from: { path: PRODUCT },
      to: { path: '^(dev|test)/' },
    },
    {
      name: 'product-without-dev-dependencies',
      comment:
        'npm does not install devDependencies for users of the package. The page is bundled.',
      severity: 'error',
      from: {
        path: '^(backend|jobs|migrations|agent)/',
        // Runs in browsers; the build copies the libraries that it imports.
        pathNot: '^backend/server/page/browser/',
      },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'hosts-use-the-plugin-contract-only',
      comment: 'A host only uses the plugin contract, like a real Ops-Center.',
      severity: 'error',
      from: { path: '^(dev/host|backend/server)/' },
      to: {
        path: PRODUCT,
        pathNot: '^backend/((host-contract|kernel/package-root)\\.ts$|server/)',
      },
    },
    {
      name: 'nothing-imports-the-server',
      comment: 'The plugin runs in any host; ota-server is one of them.',
      severity: 'error',
      from: { path: PRODUCT, pathNot: '^backend/server/' },
      to: { path: '^backend/server/' },
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
