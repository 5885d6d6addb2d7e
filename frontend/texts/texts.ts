/**
 * All texts of the page; translating this folder translates the page. A text that contains a number or a name
 * is a function, so that each language can order and inflect its words.
 */
import * as actions from './actions.ts';
import * as common from './common.ts';
import * as detail from './detail.ts';
import * as devicePage from './device-page.ts';
import * as forecast from './forecast.ts';
import * as impact from './impact.ts';
import * as labels from './labels.ts';
import * as list from './list.ts';
import * as waiting from './waiting.ts';
import * as wizard from './wizard.ts';

export { locale } from './numbers.ts';
export const texts = {
  ...labels,
  ...common,
  ...list,
  ...actions,
  ...detail,
  ...devicePage,
  ...forecast,
  ...impact,
  ...waiting,
  ...wizard,
};
