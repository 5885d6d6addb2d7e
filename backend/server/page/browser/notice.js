import { h } from 'vue';

/** Shown in place of a page that this user cannot open; trying again would not help. */
export function noticePanel({ title, detail }) {
  return h('section', { class: 'failure' }, [h('h1', title), h('p', detail)]);
}
