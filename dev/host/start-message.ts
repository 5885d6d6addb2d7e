/** What the message tells about the host. */
export interface StartedHost {
  url: string;
  pluginActive: boolean;
  /** `null` in the role `worker`. */
  adminToken: string | null;
  secondAdminToken: string | null;
  /** Signs the admin in once. */
  loginUrl: string | null;
}

/** The message printed when the host has started. */
export function startMessage(
  host: StartedHost,
  options: { tokenGenerated: boolean; database: string; loopbackOnly: boolean },
): string {
  const { adminToken, secondAdminToken, loginUrl, url } = host;
  if (adminToken === null) return `Ops-Center worker is running. Health: ${url}/health/ready`;
  const lines = [
    '',
    `Ops-Center is running at ${url}${options.loopbackOnly ? ' (this machine only; to listen on all interfaces, set OPS_LISTEN=0.0.0.0)' : ''}`,
    `Database: ${options.database}`,
    ...(host.pluginActive
      ? []
      : ['The plugin could NOT be activated; see the log above. The rest of the host works.']),
    '',
    'Open the page (this link works once and signs you in):',
    `  ${loginUrl}`,
    '',
    `Admin token${options.tokenGenerated ? ' (valid until the next start; set OPS_ADMIN_TOKEN to choose one)' : ''}:`,
    `  ${adminToken}`,
    ...(secondAdminToken ? ['Admin of the second organization:', `  ${secondAdminToken}`] : []),
    '',
    'To try it with virtual devices, run in a second terminal:',
    `  npm run fleet -- --server ${url} --admin-token ${adminToken} --devices 20 --poll-seconds 2`,
    '',
    'To register a device, create a registration token:',
    `  curl -X POST ${url}/api/v1/admin/edge/devices/generate-token \\`,
    `    -H "Authorization: Bearer ${adminToken}" -H "Content-Type: application/json" \\`,
    `    -d '{"device_name": "pi-kitchen", "device_type": "raspberry_pi"}'`,
    'Then pass it to the configured agent on the device (docs/agent.md):',
    `  ota-agent register --server ${url} --token REGISTRATION_TOKEN`,
    '',
  ];
  return lines.join('\n');
}
