/** Reproducible randomness: the same seed gives the same sequence. */
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

export interface Random {
  /** 0 ≤ x < 1 */
  share(): number;
  /** One of the values. */
  pick<T>(values: readonly T[]): T;
}

export function seededRandom(seed: number): Random {
  const generator = xoroshiro128plus(seed);
  return {
    share: () => uniformFloat64(generator),
    pick<T>(values: readonly T[]): T {
      return values[uniformInt(generator, 0, values.length - 1)] as T;
    },
  };
}
