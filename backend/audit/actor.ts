/** Who did what the timeline records. */
export interface Actor {
  type: 'admin' | 'device' | 'system';
  id: string | null;
  name: string | null;
  /** Where an admin's request came from. */
  address?: string | null;
}

export const SYSTEM: Actor = { type: 'system', id: null, name: null };
