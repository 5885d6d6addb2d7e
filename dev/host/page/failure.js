import { h, shallowRef } from 'vue';

/** Why the page of the moment cannot be shown; `null` when it can. */
export const pageFailure = shallowRef(null);

/** What stands in the place of a page that does not work. `retry`: where to go for another attempt. */
export function failurePanel({ title, detail, retry }) {
  const again = () => (retry ? location.assign(retry) : location.reload());
  return h('section', { class: 'failure', role: 'alert' }, [
    h('h1', title),
    h('p', detail),
    h('button', { type: 'button', class: 'button', onClick: again }, 'Try again'),
  ]);
}
