import type { ServiceIdentifier } from 'inversify';

/**
 * The injection token of an interface, because types do not exist at run time. Declare it next to the interface under
 * the same name, so that one import brings both: `@inject(UnitOfWork) work: UnitOfWork`.
 */
export function token<T>(name: string): ServiceIdentifier<T> {
  return Symbol.for(`ota.${name}`);
}
