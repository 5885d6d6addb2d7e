import { h, nextTick, ref, shallowRef } from 'vue';

import { facts } from './facts.js';
import { reasonOf } from './reasons.js';

/** Asks before a token replaces the one in use. Calls `onConfirm` with the request. */
export function replacementDialog(onConfirm) {
  const element = ref(null);
  const request = shallowRef(null);

  async function open(asked) {
    request.value = asked;
    await nextTick();
    element.value.showModal();
  }

  const close = () => element.value.close();
  function confirm() {
    close();
    onConfirm(request.value);
  }

  const render = () =>
    h(
      'dialog',
      { ref: element, class: 'dialog', 'aria-labelledby': 'replacement-title' },
      request.value
        ? [
            h(
              'h2',
              { id: 'replacement-title' },
              `Replace the token of ${request.value.device_name}?`,
            ),
            h('p', reasonOf(request.value).sentence),
            h('p', 'The token that the device uses now stops working at once.'),
            facts([
              ['Enrolled', new Date(request.value.enrolled_at).toLocaleString()],
              ['New token', request.value.token_fingerprint, 'mono'],
              ['Called from', request.value.address, 'mono'],
            ]),
            h('div', { class: 'dialog-actions' }, [
              h(
                'button',
                { type: 'button', class: 'button', autofocus: true, onClick: close },
                'Cancel',
              ),
              h(
                'button',
                { type: 'button', class: 'button primary', onClick: confirm },
                'Replace the token',
              ),
            ]),
          ]
        : [],
    );
  return { open, render };
}
