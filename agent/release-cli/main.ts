#!/usr/bin/env node
/**
 * The command `ota`, for those who make packages and roll them out: on a build machine, never on a
 * device. It stands on the agent's own rules for packages, so that both always agree.
 */
import { basename } from 'node:path';
import { Command, Option } from 'commander';
import { UsageError } from '../kernel/errors.ts';
import type { DeployOptions } from './deploy/deploy-command.ts';
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
}

program
  .command('pack')
  .description('make a package and its manifest of a folder with install.sh')
  .argument('<folder>')
  .requiredOption('--version <version>', 'target version of the deployment')
  .requiredOption('--name <name>', 'of the product')
  .requiredOption('--sequence <number>', 'goes up with every release', wholeNumber)
  .requiredOption('--device-type <type>', 'that the package is for; can be repeated', collect, [])
  .option('--organization <id>', 'that the package is for (default: all)')
  .requiredOption('--key-id <id>', 'of the key that will sign the manifest')
  .option('--expires <when>', 'days as 90d, or a time in UTC', '365d')
  .option('--out <file>', 'the package (default: NAME-VERSION.tar.gz)')
  .option('--replace', 'overwrite what is there')
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
        ...lifetimeOf(options.expires, process.env['SOURCE_DATE_EPOCH']),
        out: options.out,
        replace: options.replace ?? false,
      });
      if (leftOut.length > 0) {
        console.error(`Left out what macOS keeps for itself: ${leftOut.join(', ')}`);
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
  .option('--out <basename>', 'of the two files, BASENAME.key and BASENAME.pub.json', 'ota')
  .option('--id <id>', 'what manifests and keyrings call the key (default: the basename)')
  .action(({ out, id }: { out: string; id?: string }) =>
    run(async () => {
      const { makeKeyFiles } = await import('./keys.ts');
      const made = await makeKeyFiles(out, id ?? basename(out));
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
  .requiredOption('--key <file>', 'private key, as ota keygen makes it')
  .option('--out <file>', 'the signature (default: the manifest’s name with .sig)')
  .option('--replace', 'overwrite what is there')
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
  .description('look at a package and its signature as a device would')
  .argument('<package>')
  .requiredOption('--manifest <file>')
  .requiredOption('--signature <file>')
  .option('--public-key <file>', 'of ota keygen, or PEM')
  .option('--keyring <file>', 'signed keyring, instead of a public key')
  .option('--root-key <file>', 'public key that may sign keyrings; can be repeated', collect, [])
  .option('--device-type <type>', 'that the package must be for')
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
  .description('lists of keys that devices with a root key follow');

interface KeyringOptions {
  key: string[];
  withdraw: string[];
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
  .option('--withdraw <file>', 'public key that may not any more; can be repeated', collect, [])
  .requiredOption('--sequence <number>', 'goes up with every keyring', wholeNumber)
  .requiredOption('--root-id <id>', 'of the root key that will sign it')
  .option('--organization <id>', 'that it is for (default: all)')
  .option('--expires <when>', 'days as 90d, or a time in UTC', '1095d')
  .option('--out <file>', 'the keyring', 'keyring.json')
  .action((options: KeyringOptions) =>
    run(async () => {
      const { makeKeyring } = await import('./keyrings.ts');
      const { keys, expires } = await makeKeyring({
        keyFiles: options.key,
        withdrawnFiles: options.withdraw,
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
  .description('look at a signed keyring as a device would')
  .argument('<keyring>')
  .requiredOption('--root-key <file>', 'public root key; can be repeated', collect, [])
  .action((file: string, { rootKey }: { rootKey: string[] }) =>
    run(async () => {
      const { checkKeyring } = await import('./keyrings.ts');
      const { sequence, keys, expires } = await checkKeyring(file, rootKey);
      console.log(`Good: keyring ${sequence}, valid until ${expires}.`);
      for (const key of keys)
        console.log(`${key.withdrawn ? 'withdrawn' : 'trusted  '}  ${key.id}`);
      return EXIT.ok;
    }),
  );

program
  .command('deploy')
  .description('create, start and watch a deployment; the exit code tells how it ended')
  .option('--file <file>', 'JSON with the fields of POST /deployments')
  .option('--manifest <file>', 'signed manifest; also gives version, checksum and name')
  .option('--signature <file>', 'its signature')
  .option('--package-url <url>', 'where devices get the package')
  .addOption(
    new Option('--server <url>', 'address of Ops-Center').env('OTA_SERVER').makeOptionMandatory(),
  )
  .option('--skip-up-to-date', 'leave out devices that run the version already')
  .option('--token-file <file>', 'file with the admin token (default: the variable OTA_TOKEN)')
  .option('--start', 'start the deployment')
  .option('--watch [id]', 'stay until it ends; with an id: of a deployment that is there')
  .option('--expand [percentage]', 'expand a canary whose first share is well', percentage)
  .option('--canary-wait <seconds>', 'how long it has to stay well before that', seconds, 0)
  .option('--timeout <seconds>', 'watch no longer than that', seconds, 7 * DAY_SECONDS)
  .option('--unreachable-after <seconds>', 'give up without any answer for so long', seconds, 300)
  .option('--json', 'one JSON object a line, for machines')
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

async function run(action: () => Promise<ExitCode>): Promise<void> {
  // Should anything ever be waited for that does not come, Node ends, and that must not look good.
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
