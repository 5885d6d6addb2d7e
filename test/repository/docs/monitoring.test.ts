import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { parser } from '@prometheus-io/lezer-promql';
import { expect } from 'chai';
import { parse } from 'yaml';

import { startOta, type OtaServer } from '../../support/ota-server.ts';
import { parseExposition } from '../../support/prometheus-text.ts';
import { ROOT } from '../../support/repository.ts';

const read = (file: string) => readFile(path.join(ROOT, 'docs', file), 'utf8');

interface Rules {
  groups: { name: string; rules: { alert: string; expr: string }[] }[];
}

interface Dashboard {
  panels: { id: number; title: string; targets: { expr: string }[] }[];
}

/** Grafana replaces this variable before it queries Prometheus. */
const withInterval = (expression: string) => expression.replaceAll('$__rate_interval', '1m');

/** The metrics that an expression selects. Throws if it is not valid PromQL. */
function metricsIn(expression: string): string[] {
  const names: string[] = [];
  parser.parse(expression).iterate({
    enter(node) {
      if (node.type.isError) {
        throw new Error(`invalid PromQL at ${node.from}: ${expression}`);
      }
      if (node.name === 'VectorSelector') {
        names.push(/^[\w:]+/.exec(expression.slice(node.from, node.to))?.[0] ?? '');
      }
    },
  });
  return names;
}

describe('docs/monitoring.md, the alert rules and the dashboard', () => {
  let ota: OtaServer;
  let families: Map<string, { type: string; help: string }>;

  before(async () => {
    ota = await startOta();
    ({ families } = parseExposition(await ota.plugin.metrics()));
  });

  after(() => ota.close());

  /** The names of all series. A histogram has three. */
  const series = () =>
    [...families].flatMap(([name, { type }]) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    );

  it('list exactly the existing metrics, with their types', async () => {
    const rows = [...(await read('monitoring.md')).matchAll(/^\| `(ota_\w+)` +\| (\w+) /gm)];
    const listed = Object.fromEntries(rows.map(([, name, type]) => [name, type]));
    const existing = Object.fromEntries([...families].map(([name, { type }]) => [name, type]));
    expect(listed).to.deep.equal(existing);
  });

  it('alert on existing metrics only', async () => {
    const { groups } = parse(await read('alert-rules.yml')) as Rules;
    const rules = groups.flatMap((group) => group.rules);
    expect(rules).to.have.length.above(5);
    for (const { alert, expr } of rules) {
      const selected = metricsIn(expr);
      expect(selected, alert).to.have.length.above(0);
      expect(series(), alert).to.include.members(selected);
    }
  });

  it('show every metric on the dashboard and no other', async () => {
    const { panels } = JSON.parse(await read('grafana-dashboard.json')) as Dashboard;
    const selected = panels.flatMap(({ targets }) =>
      targets.flatMap(({ expr }) => metricsIn(withInterval(expr))),
    );
    expect(series()).to.include.members(selected);
    const shown = new Set(selected.map((name) => name.replace(/_(bucket|sum|count)$/, '')));
    expect([...shown]).to.have.members([...families.keys()]);
    expect(new Set(panels.map(({ id }) => id)).size).to.equal(panels.length);
  });

  it('are checked by a parser that rejects invalid expressions', () => {
    expect(() => metricsIn('sum by (rate(ota_polls_total[5m])')).to.throw('invalid PromQL');
    expect(metricsIn('max(ota_nothing_total) > 1')).to.deep.equal(['ota_nothing_total']);
  });
});
