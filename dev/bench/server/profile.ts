/** Summarizes CPU profiles that `node --cpu-prof` wrote. */
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';

export interface Share {
  /** A package, a Node.js module, a folder of the product, or an engine task such as garbage collection. */
  where: string;
  /** Share of the time in which the process was not idle, 0 to 1. */
  share: number;
}

interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string } }[];
  samples: number[];
  /** µs before each sample. */
  timeDeltas: number[];
}

/** Node.js options that write a profile to the folder when the process exits. */
export function profilingOptions(folder: string): string[] {
  return ['--cpu-prof', `--cpu-prof-dir=${folder}`];
}

/** Largest share first. Excludes the time to load modules. */
export async function busyTimeShares(folder: string): Promise<Share[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.cpuprofile'));
  const times = new Map<string, number>();
  for (const file of files) {
    const text = await readFile(path.join(folder, file), 'utf8');
    for (const [where, time] of timesOf(JSON.parse(text) as Profile)) {
      times.set(where, (times.get(where) ?? 0) + time);
    }
  }
  const busy = [...times.values()].reduce((sum, time) => sum + time, 0);
  return [...times]
    .map(([where, time]) => ({ where, share: time / busy }))
    .sort((a, b) => b.share - a.share);
}

function timesOf({ nodes, samples, timeDeltas }: Profile): Map<string, number> {
  const places = new Map(nodes.map(({ id, callFrame }) => [id, placeOf(callFrame)]));
  const times = new Map<string, number>();
  for (const [index, sample] of samples.entries()) {
    const place = places.get(sample) ?? null;
    if (place !== null) times.set(place, (times.get(place) ?? 0) + (timeDeltas[index] ?? 0));
  }
  return times;
}

const LOADING =
  /^node:internal\/(?:modules|bootstrap|deps|vm)|^wasm:|node_modules\/(?:tsx|esbuild)\//;
const PACKAGE = /\/node_modules\/((?:@[^/]+\/)?[^/]+)/;
const PRODUCT = /\/(?:dist\/)?((?:backend|dev)\/[^/]+)\//;

/** `null`: idle time, or loading of modules. */
function placeOf({ functionName, url }: { functionName: string; url: string }): string | null {
  if (functionName === '(idle)' || functionName === '(root)' || LOADING.test(url)) return null;
  if (url === '') return functionName;
  return PACKAGE.exec(url)?.[1] ?? PRODUCT.exec(url)?.[1] ?? url;
}
