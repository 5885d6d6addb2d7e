/**
 * Whether a row `d` of `edge_devices` is a registered device. An announced device has a placeholder as its
 * hardware id, and the status `pending`.
 */
export const IS_REGISTERED = `(d.device_id <> '' AND d.device_id NOT LIKE 'pending-%'
                               AND d.status IS DISTINCT FROM 'pending')`;
