import type { ServiceIdentifier } from 'inversify';

/**
 * What an interface is injected by, since types do not exist at run time. It is declared beside the interface
 * and under the same name, so that one import brings both: `@inject(UnitOfWork) work: UnitOfWork`.
 */
export function token<T>(name: string): ServiceIdentifier<T> {
  return Symbol.for(`ota.${name}`);
}
