import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { parser } from '@prometheus-io/lezer-promql';
import { expect } from 'chai';
import { parse } from 'yaml';

import { openStage, type Stage } from '../../support/ota-scenario.ts';
import { parseExposition } from '../../support/prometheus-text.ts';

const DOCS = path.resolve(import.meta.dirname, '../../../docs');
const read = (file: string) => readFile(path.join(DOCS, file), 'utf8');

interface Rules {
  groups: { name: string; rules: { alert: string; expr: string }[] }[];
}

interface Dashboard {
  panels: { id: number; title: string; targets: { expr: string }[] }[];
}

/** Grafana puts these in before it asks Prometheus. */
const filledIn = (expression: string) => expression.replaceAll('$__rate_interval', '1m');

/** Names of the metrics an expression asks for; throws where Prometheus could not read it. */
function metricsIn(expression: string): string[] {
  const names: string[] = [];
  parser.parse(expression).iterate({
    enter(node) {
      if (node.type.isError) {
        throw new Error(`not PromQL at ${node.from}: ${expression}`);
      }
      if (node.name === 'VectorSelector') {
        names.push(/^[\w:]+/.exec(expression.slice(node.from, node.to))?.[0] ?? '');
      }
    },
  });
  return names;
}

describe('docs/monitoring.md and what comes with it', () => {
  let stage: Stage;
  let families: Map<string, { type: string; help: string }>;

  before(async () => {
    stage = await openStage();
    ({ families } = parseExposition(await stage.plugin.metrics()));
  });

  after(() => stage.close());

  /** Every series there can be: histograms have three for one name. */
  const series = () =>
    [...families].flatMap(([name, { type }]) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    );

  it('the page lists exactly the metrics there are, with their types', async () => {
    const rows = [...(await read('monitoring.md')).matchAll(/^\| `(ota_\w+)` +\| (\w+) /gm)];
    const listed = Object.fromEntries(rows.map(([, name, type]) => [name, type]));
    const given = Object.fromEntries([...families].map(([name, { type }]) => [name, type]));
    expect(listed).to.deep.equal(given);
  });

  it('the alert rules can be read, and ask for metrics there are', async () => {
    const { groups } = parse(await read('alert-rules.yml')) as Rules;
    const rules = groups.flatMap((group) => group.rules);
    expect(rules).to.have.length.above(5);
    for (const { alert, expr } of rules) {
      const asked = metricsIn(expr);
      expect(asked, alert).to.have.length.above(0);
      expect(series(), alert).to.include.members(asked);
    }
  });

  it('the dashboard can be read, shows every metric, and none that is not', async () => {
    const { panels } = JSON.parse(await read('grafana-dashboard.json')) as Dashboard;
    const asked = panels.flatMap(({ targets }) =>
      targets.flatMap(({ expr }) => metricsIn(filledIn(expr))),
    );
    expect(series()).to.include.members(asked);
    const shown = new Set(asked.map((name) => name.replace(/_(bucket|sum|count)$/, '')));
    expect([...shown]).to.have.members([...families.keys()]);
    expect(new Set(panels.map(({ id }) => id)).size).to.equal(panels.length);
  });

  it('an expression that is none is noticed', () => {
    expect(() => metricsIn('sum by (rate(ota_polls_total[5m])')).to.throw('not PromQL');
    expect(metricsIn('max(ota_nothing_total) > 1')).to.deep.equal(['ota_nothing_total']);
  });
});
