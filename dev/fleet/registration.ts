/** Creates and registers devices on the stand-in host, like agents do. */

export interface NewDevice {
  name: string;
  type: string;
  version: string;
  /** Send a first heartbeat; without heartbeats the host marks the device offline after a while. */
  online: boolean;
}

export interface RegisteredDevice {
  id: string;
  name: string;
  /** Bearer token of the device API. */
  token: string;
  version: string;
}

const CONCURRENCY = 64;

/**
 * @param adminToken of an admin of the organization that the devices will belong to
 * @param onRegistered called with the number of devices registered so far
 * @returns the devices, in the order of `wanted`
 * @throws Error with the response of the host if it rejects a request
 */
export async function registerDevices(
  url: string,
  adminToken: string,
  wanted: readonly NewDevice[],
  onRegistered: (count: number) => void = () => undefined,
): Promise<RegisteredDevice[]> {
  const devices: RegisteredDevice[] = [];
  let started = 0;
  let registered = 0;
  const registerNext = async (): Promise<void> => {
    for (let index = started++; index < wanted.length; index = started++) {
      devices[index] = await register(url, adminToken, wanted[index] as NewDevice);
      registered += 1;
      onRegistered(registered);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, registerNext));
  return devices;
}

async function register(
  url: string,
  adminToken: string,
  { name, type, version, online }: NewDevice,
): Promise<RegisteredDevice> {
  const created = await post<{ registration_token: string }>(
    `${url}/api/v1/admin/edge/devices/generate-token`,
    adminToken,
    { device_name: name, device_type: type },
  );
  const { device_id: id, auth_token: token } = await post<{
    device_id: string;
    auth_token: string;
  }>(`${url}/api/v1/edge/devices/register`, null, {
    hardware_id: `hw-${name}`,
    registration_token: created.registration_token,
    firmware_version: version,
    metadata: {},
  });
  if (online) await post(`${url}/api/v1/edge/devices/${id}/heartbeat`, token, {});
  return { id, name, token, version };
}

async function post<T>(url: string, token: string | null, body: object): Promise<T> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      ...(token !== null && { Authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`POST ${url} → ${await response.text()}`);
  return (await response.json()) as T;
}
