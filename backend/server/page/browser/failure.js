import { h, shallowRef } from 'vue';

/** Why the current page cannot be shown; `null` if it can. */
export const pageFailure = shallowRef(null);

/** Shown in place of a page that failed. `retry`: the path to open again; without it, the page is reloaded. */
export function failurePanel({ title, detail, retry }) {
  const tryAgain = () => (retry ? location.assign(retry) : location.reload());
  return h('section', { class: 'failure', role: 'alert' }, [
    h('h1', title),
    h('p', detail),
    h('button', { type: 'button', class: 'button', onClick: tryAgain }, 'Try again'),
  ]);
}
