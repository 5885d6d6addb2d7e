/** Parses the subset of the Prometheus text format 0.0.4 that the product uses. */
export interface MetricFamily {
  type: string;
  help: string;
}

export interface Exposition {
  families: Map<string, MetricFamily>;
  /** `name{label="value",…}` in the order written → value. */
  samples: Map<string, number>;
  /** The value of the sample with exactly these labels, or 0. */
  value(name: string, labels?: Record<string, string>): number;
}

export function parseExposition(text: string): Exposition {
  const families = new Map<string, MetricFamily>();
  const samples = new Map<string, number>();
  for (const line of text.split('\n').filter(Boolean)) {
    const comment = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line);
    if (comment) {
      const [, kind, name = '', rest = ''] = comment;
      const family = families.get(name) ?? { type: '', help: '' };
      families.set(name, { ...family, [kind === 'HELP' ? 'help' : 'type']: rest });
      continue;
    }
    const sample = /^([a-z_:][\w:]*)(\{.*\})? (\S+)$/i.exec(line);
    if (!sample) throw new Error(`not a valid line: ${line}`);
    samples.set(keyOf(sample[1] ?? '', labelsOf(sample[2] ?? '')), Number(sample[3]));
  }
  return {
    families,
    samples,
    value: (name, labels = {}) => samples.get(keyOf(name, labels)) ?? 0,
  };
}

function labelsOf(text: string): Record<string, string> {
  return Object.fromEntries(
    [...text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name = '', value = '']) => [
      name,
      value,
    ]),
  );
}

function keyOf(name: string, labels: Record<string, string>): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return pairs.length > 0 ? `${name}{${pairs.sort().join(',')}}` : name;
}
