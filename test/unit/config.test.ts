import { expect } from 'chai';
import { readConfig } from '../../backend/config.ts';
import { DomainError } from '../../backend/kernel/errors.ts';

describe('the configuration of the plugin', () => {
  it('is rejected with every invalid signature key', () => {
    const zero = Buffer.alloc(32).toString('base64');
    const keys = [
      { id: 'a', public_key: zero },
      { id: 'b', public_key: 'x' },
    ];
    expect(() => readConfig({ signature_keys: keys }))
      .to.throw(DomainError)
      .that.has.nested.property('extras.errors')
      .that.satisfies((errors: { path: string }[]) =>
        ['signature_keys.0.public_key', 'signature_keys.1.public_key'].every((path) =>
          errors.some((error) => error.path === path),
        ),
      );
  });
});
