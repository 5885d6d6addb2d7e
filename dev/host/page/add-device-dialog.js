import { h, ref } from 'vue';

/** Creates a device and shows its registration token, once. Calls `onAdded` after the creation. */
export function addDeviceDialog(requestJson, onAdded) {
  const element = ref(null);
  const created = ref(null);
  const problem = ref(null);

  function open() {
    created.value = null;
    problem.value = null;
    element.value.showModal();
  }

  async function submit(event) {
    event.preventDefault();
    const form = new FormData(event.target);
    try {
      created.value = await requestJson('/api/v1/admin/edge/devices/generate-token', {
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
      h('h2', { id: 'add-device-title' }, created.value ? 'Register the device' : 'Add a device'),
      created.value ? result(created.value, close) : form(submit, close, problem.value),
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
    h(
      'p',
      'Run this command on the device. The token is shown only once and expires after 24 hours.',
    ),
    h('pre', { class: 'command', tabindex: 0 }, [
      h('code', `npx ota-agent register \\\n  --server ${location.origin} \\\n  --token ${token}`),
    ]),
    h('div', { class: 'dialog-actions' }, [
      h('button', { type: 'button', class: 'button primary', onClick: close }, 'Done'),
    ]),
  ];
}
