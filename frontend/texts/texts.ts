/**
 * Everything the page says. A translation is this folder with other words; nothing else holds text.
 * Functions are used where a number or a name stands in the sentence, so that a language may order
 * and inflect as it needs.
 */
import * as actions from './actions.ts';
import * as common from './common.ts';
import * as detail from './detail.ts';
import * as impact from './impact.ts';
import * as list from './list.ts';
import * as wizard from './wizard.ts';
import * as words from './words.ts';

export { locale } from './numbers.ts';
export const texts = { ...words, ...common, ...list, ...actions, ...detail, ...impact, ...wizard };
