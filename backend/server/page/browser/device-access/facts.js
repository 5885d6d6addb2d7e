import { h } from 'vue';

/** A list of terms and values, each `[term, value, class?]`; terms without a value are left out. */
export function facts(entries) {
  return h(
    'dl',
    { class: 'access-facts' },
    entries
      .filter(([, value]) => (value ?? '') !== '')
      .map(([term, value, style]) =>
        h('div', { key: term }, [h('dt', term), h('dd', { class: style }, String(value))]),
      ),
  );
}
