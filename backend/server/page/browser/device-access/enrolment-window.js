import { h, onMounted, onUnmounted, ref, shallowRef } from 'vue';

import { closeWindow, getWindow, openWindow } from './enrolment-api.js';

const HOURS = [1, 4, 8, 24, 72];
/** The longest wait that a browser's timer takes. */
const MAX_WAIT_MS = 2 ** 31 - 1;

/** Whether devices can enrol without being asked about, and the buttons to change that. */
export const EnrolmentWindow = {
  name: 'EnrolmentWindow',
  setup() {
    const state = shallowRef(null);
    const problem = ref(null);
    const busy = ref(false);
    const hours = ref(HOURS[0]);
    let expiry;

    async function change(request) {
      busy.value = true;
      try {
        await request();
        await load();
      } catch (error) {
        problem.value = error.message;
      } finally {
        busy.value = false;
      }
    }

    async function load() {
      state.value = await getWindow();
      problem.value = null;
      clearTimeout(expiry);
      const left = Date.parse(state.value.open_until ?? '') - Date.now();
      if (left > 0) expiry = setTimeout(() => void change(load), Math.min(left + 500, MAX_WAIT_MS));
    }

    onMounted(() => change(() => Promise.resolve()));
    onUnmounted(() => clearTimeout(expiry));

    const open = (event) => {
      event.preventDefault();
      void change(() => openWindow(hours.value));
    };
    return () => {
      const until = openUntil(state.value);
      return h('section', { class: 'card access-window', 'aria-labelledby': 'window-title' }, [
        h('div', [
          h('div', { class: 'access-title' }, [
            h('h2', { id: 'window-title' }, 'Enrolment'),
            state.value
              ? h('span', { class: ['badge', until ? 'warn' : 'idle'] }, until ? 'Open' : 'Closed')
              : null,
          ]),
          h('p', { class: 'soft', role: 'status' }, explain(state.value, until)),
          problem.value ? h('p', { class: 'problem', role: 'alert' }, problem.value) : null,
        ]),
        until
          ? h(
              'button',
              {
                type: 'button',
                class: 'button',
                disabled: busy.value,
                onClick: () => void change(closeWindow),
              },
              'Close enrolment',
            )
          : h('form', { onSubmit: open }, [
              h('label', { for: 'window-hours' }, 'Open for'),
              h(
                'select',
                {
                  id: 'window-hours',
                  value: hours.value,
                  onChange: (event) => (hours.value = Number(event.target.value)),
                },
                HOURS.map((count) =>
                  h(
                    'option',
                    { value: count, key: count },
                    count === 1 ? '1 hour' : `${count} hours`,
                  ),
                ),
              ),
              h(
                'button',
                { type: 'submit', class: 'button', disabled: busy.value },
                'Open enrolment',
              ),
            ]),
      ]);
    };
  },
};

/** `null`: closed. */
function openUntil(state) {
  const until = state?.open_until ? new Date(state.open_until) : null;
  return until && until > new Date() ? until : null;
}

function explain(state, until) {
  if (!state) return 'Loading…';
  if (until) {
    return `Until ${until.toLocaleString()}, a device that is not enrolled yet is admitted when it calls for the first time.`;
  }
  const hours = state.hours_after_registration;
  if (!hours) return 'A device that is not enrolled yet is refused and listed below.';
  return (
    `A device is admitted if it calls within ${hours === 1 ? 'an hour' : `${hours} hours`} after it was created. ` +
    'Later, it is refused and listed below.'
  );
}
