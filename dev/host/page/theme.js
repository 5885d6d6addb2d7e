import { ref } from 'vue';

const KEY = 'ops-theme';
const root = document.documentElement;
const system = matchMedia('(prefers-color-scheme: dark)');

/** Whether the dark theme is on. Follows the system until the user chooses. */
export const isDark = ref(root.classList.contains('dark'));

system.addEventListener('change', () => {
  if (stored() === null) show(system.matches);
});

export function toggleTheme() {
  show(!isDark.value);
  try {
    localStorage.setItem(KEY, isDark.value ? 'dark' : 'light');
  } catch {
    // Storage is blocked: the choice lasts until the page is closed.
  }
}

function show(dark) {
  isDark.value = dark;
  root.classList.toggle('dark', dark);
}

function stored() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}
