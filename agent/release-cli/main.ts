#!/usr/bin/env node
/**
 * The command `ota`, for those who make packages and roll them out: on a build machine, never on a
 * device. It uses the agent's own rules for packages, so that both always agree.
 */
import { basename } from 'node:path';
import { Command, Option } from 'commander';
import { UsageError } from '../kernel/errors.ts';
import type { DeployOptions } from './deploy/deploy-command.ts';
import type { ExplainOptions } from './explain/explain-command.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { lifetimeOf } from './lifetime.ts';
import { DAY_SECONDS, collect, percentage, seconds, wholeNumber } from './option-values.ts';

const program = new Command('ota')
  .description('Makes, signs and rolls out update packages for Ops-Center')
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? EXIT.ok : EXIT.usage));

interface PackOptions {
  version: string;
  name: string;
  sequence: number;
  deviceType: string[];
  organization?: string;
  keyId: string;
  expires: string;
  out?: string;
  replace?: boolean;
  reboot?: boolean | string;
}

program
  .command('pack')
  .description('make a package and its manifest from a folder with install.sh')
  .argument('<folder>')
  .requiredOption('--version <version>', 'target version of the deployment')
  .requiredOption('--name <name>', 'of the product')
  .requiredOption('--sequence <number>', 'higher with every release', wholeNumber)
  .requiredOption(
    '--device-type <type>',
    'device type the package is for; can be repeated',
    collect,
    [],
  )
  .option('--organization <id>', 'organization the package is for (default: all)')
  .requiredOption('--key-id <id>', 'id of the key that will sign the manifest')
  .option('--expires <when>', 'days as 90d, or a time in UTC', '365d')
  .option(
    '--reboot [entry]',
    'request a reboot after install.sh; ENTRY names what the boot loader starts',
  )
  .option('--out <file>', 'the package (default: NAME-VERSION.tar.gz)')
  .option('--replace', 'overwrite existing files')
  .action((folder: string, options: PackOptions) =>
    run(async () => {
      const { packFolder } = await import('./pack.ts');
      const { archive, manifestFile, manifest, leftOut } = await packFolder({
        folder,
        name: options.name,
        version: options.version,
        sequence: options.sequence,
        deviceTypes: options.deviceType,
        organizationId: options.organization ?? null,
        keyId: options.keyId,
        reboot: options.reboot ?? false,
        ...lifetimeOf(options.expires, process.env['SOURCE_DATE_EPOCH']),
        out: options.out,
        replace: options.replace ?? false,
      });
      if (leftOut.length > 0) {
        console.error(`Left out metadata files of macOS: ${leftOut.join(', ')}`);
      }
      console.log(
        `${archive}: ${manifest.size} bytes, ${manifest.file_count} files of ${manifest.unpacked_size} bytes\n` +
          `SHA-256 ${manifest.sha256}\n` +
          `${manifestFile}: sequence ${manifest.sequence}, valid until ${manifest.expires}\n` +
          `Next: ota sign ${manifestFile} --key FILE, with the private key of ${manifest.key_id}`,
      );
      return EXIT.ok;
    }),
  );

program
  .command('keygen')
  .description('make a key pair for signing')
  .option(
    '--out <basename>',
    'basename of the two files, BASENAME.key and BASENAME.pub.json',
    'ota',
  )
  .option('--id <id>', 'id of the key in manifests and keyrings (default: the basename)')
  .action(({ out, id }: { out: string; id?: string }) =>
    run(async () => {
      const { createKeyFiles } = await import('./keys.ts');
      const made = await createKeyFiles(out, id ?? basename(out));
      console.log(
        `${made.privateFile}: the private key. Keep it secret, and keep a copy of it.\n` +
          `${made.publicFile}: the public key, for signatures.keys of devices, signature_keys of the plugin, or a keyring:\n` +
          made.entry,
      );
      return EXIT.ok;
    }),
  );

program
  .command('sign')
  .description('sign a manifest')
  .argument('<manifest>')
  .requiredOption('--key <file>', 'private key, from ota keygen')
  .option('--out <file>', 'the signature (default: the manifest’s name with .sig)')
  .option('--replace', 'overwrite existing files')
  .action((manifest: string, options: { key: string; out?: string; replace?: boolean }) =>
    run(async () => {
      const { signManifest } = await import('./signatures.ts');
      const { key, out, replace = false } = options;
      const file = await signManifest(manifest, key, { out, replace });
      console.log(
        `${file}: the signature\nNext: upload the package, then ota deploy --file deployment.json ` +
          `--manifest ${manifest} --signature ${file} --package-url URL`,
      );
      return EXIT.ok;
    }),
  );

interface VerifyOptions {
  manifest: string;
  signature: string;
  publicKey?: string;
  keyring?: string;
  rootKey: string[];
  deviceType?: string;
}

program
  .command('verify')
  .description('check a package and its signature as a device would')
  .argument('<package>')
  .requiredOption('--manifest <file>')
  .requiredOption('--signature <file>')
  .option('--public-key <file>', 'public key, from ota keygen or as PEM')
  .option('--keyring <file>', 'signed keyring, instead of a public key')
  .option('--root-key <file>', 'public key that may sign keyrings; can be repeated', collect, [])
  .option('--device-type <type>', 'device type the package must be for')
  .action((archive: string, options: VerifyOptions) =>
    run(async () => {
      const { verifyPackage } = await import('./signatures.ts');
      const manifest = await verifyPackage({
        archive,
        manifestFile: options.manifest,
        signatureFile: options.signature,
        publicKeyFile: options.publicKey,
        keyringFile: options.keyring,
        rootKeyFiles: options.rootKey,
        deviceType: options.deviceType,
      });
      console.log(
        `Good: ${manifest.name} ${manifest.version}, sequence ${manifest.sequence}, for ` +
          `${manifest.device_types.join(', ')}, signed with ${manifest.key_id}, valid until ${manifest.expires}.`,
      );
      return EXIT.ok;
    }),
  );

const keyring = program
  .command('keyring')
  .description('signed lists of keys, for devices with a root key');

interface KeyringOptions {
  key: string[];
  revoke: string[];
  sequence: number;
  rootId: string;
  organization?: string;
  expires: string;
  out: string;
}

keyring
  .command('make')
  .description('make a keyring, to be signed with a root key')
  .requiredOption('--key <file>', 'public key that may sign packages; can be repeated', collect, [])
  .option('--revoke <file>', 'public key that is revoked; can be repeated', collect, [])
  .requiredOption('--sequence <number>', 'higher with every keyring', wholeNumber)
  .requiredOption('--root-id <id>', 'id of the root key that will sign it')
  .option('--organization <id>', 'organization it is for (default: all)')
  .option('--expires <when>', 'days as 90d, or a time in UTC', '1095d')
  .option('--out <file>', 'the keyring', 'keyring.json')
  .action((options: KeyringOptions) =>
    run(async () => {
      const { makeKeyring } = await import('./keyrings.ts');
      const { keys, expires } = await makeKeyring({
        keyFiles: options.key,
        revokedFiles: options.revoke,
        sequence: options.sequence,
        rootKeyId: options.rootId,
        organizationId: options.organization ?? null,
        ...lifetimeOf(options.expires, process.env['SOURCE_DATE_EPOCH']),
        out: options.out,
      });
      console.log(
        `${options.out}: ${keys.length} keys, valid until ${expires}\n` +
          `Next: ota keyring sign ${options.out} --key FILE, where the private key of ${options.rootId} is`,
      );
      return EXIT.ok;
    }),
  );

keyring
  .command('sign')
  .description('sign a keyring with a root key')
  .argument('<keyring>')
  .requiredOption('--key <file>', 'private root key')
  .option('--out <file>', 'the signed keyring (default: the keyring’s name with .signed.json)')
  .action((file: string, { key, out }: { key: string; out?: string }) =>
    run(async () => {
      const { signKeyring } = await import('./keyrings.ts');
      const signed = await signKeyring(file, key, out);
      console.log(
        `${signed}: the signed keyring\n` +
          'Next: ota-agent keyring FILE on a device, or pack it as ota-keyring.json into a package',
      );
      return EXIT.ok;
    }),
  );

keyring
  .command('verify')
  .description('check a signed keyring as a device would')
  .argument('<keyring>')
  .requiredOption('--root-key <file>', 'public root key; can be repeated', collect, [])
  .action((file: string, { rootKey }: { rootKey: string[] }) =>
    run(async () => {
      const { checkKeyring } = await import('./keyrings.ts');
      const { sequence, keys, expires } = await checkKeyring(file, rootKey);
      console.log(`Good: keyring ${sequence}, valid until ${expires}.`);
      for (const key of keys) console.log(`${key.revoked ? 'revoked' : 'trusted'}  ${key.id}`);
      return EXIT.ok;
    }),
  );

program
  .command('deploy')
  .description('create, start and watch a deployment; the exit code is its outcome')
  .option('--file <file>', 'JSON with the fields of POST /deployments')
  .option('--manifest <file>', 'signed manifest; also sets version, checksum and name')
  .option('--signature <file>', 'its signature')
  .option('--package-url <url>', 'where devices download the package')
  .addOption(serverOption())
  .option('--skip-up-to-date', 'leave out devices that already run the version')
  .option('--token-file <file>', 'file with the admin token (default: the variable OTA_TOKEN)')
  .option('--start', 'start the deployment')
  .option('--watch [id]', 'watch until it finishes; with an id: an existing deployment')
  .option('--expand [percentage]', 'expand a canary whose first share is healthy', percentage)
  .option('--canary-wait <seconds>', 'how long it has to stay healthy before that', seconds, 0)
  .option('--timeout <seconds>', 'watch no longer than this', seconds, 7 * DAY_SECONDS)
  .option(
    '--unreachable-after <seconds>',
    'give up after this long without an answer',
    seconds,
    300,
  )
  .option('--json', 'one JSON object per line')
  .action((options: Omit<DeployOptions, 'expand'> & { expand?: true | number }) =>
    run(async () => {
      const { runDeploy } = await import('./deploy/deploy-command.ts');
      const { expand, ...others } = options;
      return runDeploy({
        ...others,
        ...(expand !== undefined && { expand: expand === true ? 100 : expand }),
      });
    }),
  );

program
  .command('explain')
  .description('say why a device does not run a version yet')
  .argument('<device>', 'id, hardware id or name of the device')
  .option('--deployment <id>', 'about this deployment (default: the one that the device gets next)')
  .addOption(serverOption())
  .option('--token-file <file>', 'file with the admin token (default: the variable OTA_TOKEN)')
  .option('--json', 'the answer of the server as JSON')
  .action((device: string, options: ExplainOptions) =>
    run(async () => {
      const { runExplain } = await import('./explain/explain-command.ts');
      return runExplain(device, options);
    }),
  );

function serverOption(): Option {
  return new Option('--server <url>', 'address of Ops-Center')
    .env('OTA_SERVER')
    .makeOptionMandatory();
}

async function run(action: () => Promise<ExitCode>): Promise<void> {
  // Node exits when nothing is left to wait for, even in the middle: that must not look like success.
  process.exitCode = EXIT.unexpected;
  try {
    process.exitCode = await action();
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(error.message);
      process.exitCode = error.exitCode;
    } else {
      console.error(error);
    }
  }
}

await program.parseAsync();
