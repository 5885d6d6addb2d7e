import { h, ref } from 'vue';

import { requestJson } from './api.js';

/** Makes a device and shows, once, the token it registers with. */
export function addDeviceDialog(onAdded) {
  const element = ref(null);
  const added = ref(null);
  const problem = ref(null);

  function open() {
    added.value = null;
    problem.value = null;
    element.value.showModal();
  }

  async function submit(event) {
    event.preventDefault();
    const form = new FormData(event.target);
    try {
      added.value = await requestJson('/api/v1/admin/edge/devices/generate-token', {
        method: 'POST',
        body: { device_name: form.get('name'), device_type: form.get('type') },
      });
      problem.value = null;
      onAdded();
    } catch (error) {
      problem.value = error.message;
    }
  }

  const close = () => element.value.close();
  const render = () =>
    h('dialog', { ref: element, class: 'dialog', 'aria-labelledby': 'add-device-title' }, [
      h('h2', { id: 'add-device-title' }, added.value ? 'Register the device' : 'Add a device'),
      added.value ? result(added.value, close) : form(submit, close, problem.value),
    ]);
  return { open, render };
}

function form(submit, close, problem) {
  return h('form', { onSubmit: submit }, [
    problem ? h('p', { class: 'problem', role: 'alert' }, problem) : null,
    h('label', { for: 'device-name' }, 'Name'),
    h('input', { id: 'device-name', name: 'name', required: true, maxlength: 255 }),
    h('label', { for: 'device-type' }, 'Type, such as raspberry_pi'),
    h('input', { id: 'device-type', name: 'type', maxlength: 100 }),
    h('div', { class: 'dialog-actions' }, [
      h('button', { type: 'button', class: 'button', onClick: close }, 'Cancel'),
      h('button', { type: 'submit', class: 'button primary' }, 'Add'),
    ]),
  ]);
}

function result({ registration_token: token }, close) {
  return [
    h('p', 'Run this on the device. The token is shown only now and is good for 24 hours.'),
    h('pre', { class: 'command', tabindex: 0 }, [
      h('code', `npx ota-agent register \\\n  --server ${location.origin} \\\n  --token ${token}`),
    ]),
    h('div', { class: 'dialog-actions' }, [
      h('button', { type: 'button', class: 'button primary', onClick: close }, 'Done'),
    ]),
  ];
}
