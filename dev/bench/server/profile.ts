/** Where the time of a process went, from the profile that `node --cpu-prof` leaves. */
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';

export interface Share {
  /** A package, a module of Node.js, a folder of the product, or what the engine itself does. */
  where: string;
  /** Of the time in which the process was not idle, 0 to 1. */
  share: number;
}

interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string } }[];
  samples: number[];
  /** µs before each sample. */
  timeDeltas: number[];
}

/** Options for a process whose profile shall be in the folder when it has ended. */
export function profilingOptions(folder: string): string[] {
  return ['--cpu-prof', `--cpu-prof-dir=${folder}`];
}

/** The largest shares first; loading the program is left out. */
export async function whereTimeWent(folder: string): Promise<Share[]> {
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

/** `null`: neither idle time nor loading counts. */
function placeOf({ functionName, url }: { functionName: string; url: string }): string | null {
  if (functionName === '(idle)' || functionName === '(root)' || LOADING.test(url)) return null;
  if (url === '') return functionName;
  return PACKAGE.exec(url)?.[1] ?? PRODUCT.exec(url)?.[1] ?? url;
}
