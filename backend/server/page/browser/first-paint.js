// Runs before the first paint, so that a dark page never flashes white. theme.js does the rest.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem('ops-theme');
  } catch {
    // Storage is blocked: follow the system.
  }
  const dark = chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  document.documentElement.classList.toggle('dark', dark);
})();
