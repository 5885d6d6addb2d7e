/** Who caused an event of the timeline. */
export interface Actor {
  type: 'admin' | 'device' | 'system';
  id: string | null;
  name: string | null;
  /** Admins only: the IP address of the request. */
  address?: string | null;
}

export const SYSTEM: Actor = { type: 'system', id: null, name: null };
