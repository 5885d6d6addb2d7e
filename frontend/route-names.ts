/** The page's path in Ops-Center, and the names of its routes. */
export const ROOT_PATH = '/admin/edge/ota';

export const ROUTE = {
  list: 'ota-deployments',
  create: 'ota-new-deployment',
  detail: 'ota-deployment',
  device: 'ota-device',
} as const;
