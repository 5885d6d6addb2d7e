/** Day before month and a 24-hour clock, whatever locale the browser has. */
export const locale = 'en-GB';

export const number = new Intl.NumberFormat(locale);
export const plural = (count: number, one: string, many: string) =>
  `${number.format(count)} ${count === 1 ? one : many}`;
export const devices = (count: number) => plural(count, 'device', 'devices');
