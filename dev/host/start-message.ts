import type { RunningHost } from './host.ts';

/** What a person who has just started the host needs to know. */
export async function startMessage(
  host: RunningHost,
  options: { tokenWasMade: boolean; database: string; onlyThisMachine: boolean },
): Promise<string> {
  const { admin, secondAdmin, url } = host;
  if (!admin) return `Ops-Center worker is running; health at ${url}/health/ready`;
  const lines = [
    '',
    `Ops-Center is running at ${url}${options.onlyThisMachine ? ' (this machine only; OPS_LISTEN=0.0.0.0 opens it)' : ''}`,
    `Database: ${options.database}`,
    ...(host.pluginActive
      ? []
      : ['The plugin is NOT active: it is broken, see the log above. Everything else works.']),
    '',
    'Open the page (this link signs you in, once):',
    `  ${await host.createLoginUrl()}`,
    '',
    `Admin token${options.tokenWasMade ? ' (made for this run; OPS_ADMIN_TOKEN keeps one)' : ''}:`,
    `  ${admin.token}`,
    ...(secondAdmin ? ['Admin of the second organization:', `  ${secondAdmin.token}`] : []),
    '',
    'Devices that play updates, for trying it out; in a second terminal:',
    `  npm run fleet -- --server ${url} --admin-token ${admin.token} --devices 20 --poll-seconds 2`,
    '',
    'Register a device: make a registration token,',
    `  curl -X POST ${url}/api/v1/admin/edge/devices/generate-token \\`,
    `    -H "Authorization: Bearer ${admin.token}" -H "Content-Type: application/json" \\`,
    `    -d '{"device_name": "pi-kitchen", "device_type": "raspberry_pi"}'`,
    'and give it to the agent on the device, once that is configured (docs/agent.md):',
    `  ota-agent register --server ${url} --token REGISTRATION_TOKEN`,
    '',
  ];
  return lines.join('\n');
}
