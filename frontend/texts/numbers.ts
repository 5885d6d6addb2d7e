/** Day before month, 24 hours: the same for every reader of the English texts. */
export const locale = 'en-GB';

export const number = new Intl.NumberFormat(locale);
export const plural = (count: number, one: string, many: string) =>
  `${number.format(count)} ${count === 1 ? one : many}`;
export const devices = (count: number) => plural(count, 'device', 'devices');
