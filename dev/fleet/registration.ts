/** Makes devices known to the stand-in host, in the way agents do. */

export interface DeviceToBe {
  name: string;
  type: string;
  version: string;
  /** Sends a first heartbeat; without one the host finds the device silent after a while, and offline. */
  online: boolean;
}

export interface RegisteredDevice {
  id: string;
  name: string;
  /** Bearer token of the device API. */
  token: string;
  version: string;
}

const AT_A_TIME = 64;

/**
 * @param adminToken of an admin of the organization the devices shall belong to
 * @param onRegistered told how many there are so far
 * @throws Error naming what the host refused
 */
export async function registerDevices(
  url: string,
  adminToken: string,
  wanted: readonly DeviceToBe[],
  onRegistered: (count: number) => void = () => undefined,
): Promise<RegisteredDevice[]> {
  const devices: RegisteredDevice[] = [];
  let begun = 0;
  let registered = 0;
  const takeOneAfterTheOther = async (): Promise<void> => {
    for (let index = begun++; index < wanted.length; index = begun++) {
      devices[index] = await register(url, adminToken, wanted[index] as DeviceToBe);
      registered += 1;
      onRegistered(registered);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, takeOneAfterTheOther));
  return devices;
}

async function register(
  url: string,
  adminToken: string,
  { name, type, version, online }: DeviceToBe,
): Promise<RegisteredDevice> {
  const made = await post<{ registration_token: string }>(
    `${url}/api/v1/admin/edge/devices/generate-token`,
    adminToken,
    { device_name: name, device_type: type },
  );
  const { device_id: id, auth_token: token } = await post<{
    device_id: string;
    auth_token: string;
  }>(`${url}/api/v1/edge/devices/register`, null, {
    hardware_id: `hw-${name}`,
    registration_token: made.registration_token,
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
