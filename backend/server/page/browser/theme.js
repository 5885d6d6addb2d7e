import { ref } from 'vue';

const KEY = 'ops-theme';
const system = matchMedia('(prefers-color-scheme: dark)');

/** `system`, `light` or `dark`. */
export const theme = ref(stored());

system.addEventListener('change', apply);

export function chooseTheme(choice) {
  theme.value = choice;
  apply();
  try {
    if (choice === 'system') localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, choice);
  } catch {
    // Storage is blocked: the choice lasts until the page is closed.
  }
}

function apply() {
  const dark = theme.value === 'system' ? system.matches : theme.value === 'dark';
  document.documentElement.classList.toggle('dark', dark);
}

function stored() {
  try {
    return localStorage.getItem(KEY) ?? 'system';
  } catch {
    return 'system';
  }
}
