import { computed, h, onErrorCaptured, ref, watch } from 'vue';
import { RouterLink, RouterView, useRoute } from 'vue-router';

import { failurePanel, pageFailure } from './failure.js';
import { icon } from './icons.js';
import { isDark, toggleTheme } from './theme.js';

/** Matches Vue's codes and names of errors that leave nothing to show: in setup, render and mount hooks. */
const FATAL = /(^|-)(0|1|bm|m)$|setup function|render function|mounted hook/;

/** Navigation, top bar and the current page. */
export const Frame = {
  name: 'OpsFrame',
  props: { user: Object, entries: Array },
  setup(props) {
    const route = useRoute();
    const menuOpen = ref(false);
    const sections = computed(() => bySection(props.entries));
    const close = () => (menuOpen.value = false);
    watch(() => route.fullPath, close);
    onErrorCaptured((error, _component, info) => {
      console.error(error);
      if (!FATAL.test(info)) return false;
      pageFailure.value = {
        title: 'This page failed',
        detail: `The error was: ${error.message}`,
      };
      return false;
    });
    const closeOnEscape = (event) => {
      if (event.key === 'Escape') close();
    };
    return () =>
      h('div', { class: ['frame', { 'menu-open': menuOpen.value }], onKeydown: closeOnEscape }, [
        h('a', { class: 'skip', href: '#content' }, 'Skip to content'),
        topBar(props.user, menuOpen),
        h('nav', { id: 'navigation', class: 'navigation', 'aria-label': 'Main', onClick: close }, [
          sections.value.map(([section, entries]) => navigationSection(section, entries, route)),
        ]),
        h('div', { class: 'veil', onClick: close }),
        h('main', { id: 'content', class: 'content', tabindex: -1 }, [
          pageFailure.value ? failurePanel(pageFailure.value) : h(RouterView),
        ]),
      ]);
  },
};

function bySection(entries) {
  const sections = new Map();
  for (const entry of entries) {
    sections.set(entry.section, [...(sections.get(entry.section) ?? []), entry]);
  }
  return [...sections];
}

function navigationSection(section, entries, route) {
  const id = `section-${section.toLowerCase().replace(/\W+/g, '-')}`;
  return h('div', { class: 'section', key: section }, [
    h('h2', { id, class: 'section-title' }, section),
    h(
      'ul',
      { 'aria-labelledby': id },
      entries.map((entry) => {
        const here = route.path === entry.path || route.path.startsWith(`${entry.path}/`);
        return h('li', { key: entry.path }, [
          h(
            RouterLink,
            {
              to: entry.path,
              class: ['entry', { here }],
              'aria-current': route.path === entry.path ? 'page' : here ? 'true' : undefined,
            },
            () => [icon(entry.icon), h('span', entry.title)],
          ),
        ]);
      }),
    ),
  ]);
}

function topBar(user, menuOpen) {
  return h('header', { class: 'top-bar' }, [
    h(
      'button',
      {
        type: 'button',
        class: 'bar-button menu-button',
        'aria-controls': 'navigation',
        'aria-expanded': String(menuOpen.value),
        'aria-label': menuOpen.value ? 'Close the menu' : 'Open the menu',
        onClick: () => (menuOpen.value = !menuOpen.value),
      },
      [icon(menuOpen.value ? 'close' : 'menu')],
    ),
    h(RouterLink, { to: '/admin', class: 'brand' }, () => [
      h('img', { src: '/shell/icon.svg', alt: '', width: 28, height: 28 }),
      h('span', 'Ops-Center'),
    ]),
    h('div', { class: 'who' }, [
      h('span', { class: 'who-organization' }, user.organization),
      h('span', { class: 'who-name' }, user.name),
    ]),
    h(
      'button',
      {
        type: 'button',
        class: 'bar-button',
        'aria-pressed': String(isDark.value),
        'aria-label': 'Dark theme',
        title: isDark.value ? 'Light theme' : 'Dark theme',
        onClick: toggleTheme,
      },
      [icon(isDark.value ? 'sun' : 'moon')],
    ),
    h('form', { method: 'post', action: '/logout' }, [
      h(
        'button',
        { type: 'submit', class: 'bar-button', 'aria-label': 'Sign out', title: 'Sign out' },
        [icon('exit')],
      ),
    ]),
  ]);
}
