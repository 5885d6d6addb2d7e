import type { DeploymentChanged } from '../deployments/model/change-feed.ports.ts';

const CAPACITY = 2_000;
const ID = /^(\w+)-(\d+)$/;

interface Entry {
  sequence: number;
  change: DeploymentChanged;
}

/**
 * The latest changes that this process received, so that an interrupted stream can continue where it stopped. Ids are
 * `<epoch>-<sequence>`; `epoch` identifies the process.
 */
export class ChangeLog {
  readonly #entries: Entry[] = [];
  #sequence = 0;

  constructor(private readonly epoch: string) {}

  append(change: DeploymentChanged): void {
    this.#sequence += 1;
    this.#entries.push({ sequence: this.#sequence, change });
    if (this.#entries.length > CAPACITY) this.#entries.shift();
  }

  /** The id of the newest change. */
  get lastId(): string {
    return `${this.epoch}-${this.#sequence}`;
  }

  /** The changes after this id; `null`: the id is too old or of another process, so changes may be missing. */
  since(id: string): DeploymentChanged[] | null {
    const [, epoch, digits] = ID.exec(id) ?? [];
    if (epoch !== this.epoch) return null;
    const sequence = Number(digits);
    const oldest = this.#sequence - this.#entries.length;
    if (sequence < oldest || sequence > this.#sequence) return null;
    return this.#entries.filter((entry) => entry.sequence > sequence).map(({ change }) => change);
  }
}

/** Merges changes into one per deployment, with all their devices. */
export function mergeChanges(changes: DeploymentChanged[]): DeploymentChanged[] {
  const merged = new Map<string, DeploymentChanged>();
  for (const change of changes) {
    const known = merged.get(change.deploymentId);
    merged.set(change.deploymentId, known ? mergePair(known, change) : change);
  }
  return [...merged.values()];
}

function mergePair(a: DeploymentChanged, b: DeploymentChanged): DeploymentChanged {
  return {
    ...a,
    devices: {
      named: [...new Set([...a.devices.named, ...b.devices.named])],
      others: a.devices.others || b.devices.others,
    },
  };
}
