import type { Deployment } from '../model/deployment.types.ts';

type Product = Pick<Deployment, 'packageName'>;

/**
 * Whether two deployments may be for the same product (docs/contract.md, Products): they are not if both names are
 * known and differ. Only then can neither make the other obsolete.
 */
export function isSameProduct(one: Product, other: Product): boolean {
  return (
    one.packageName === null || other.packageName === null || one.packageName === other.packageName
  );
}
