import { onScopeDispose, ref, type Ref } from 'vue';

/** Whether the viewport is too narrow for tables. The style sheets use the same width. */
export function useNarrowViewport(): Ref<boolean> {
  const query = window.matchMedia('(max-width: 860px)');
  const narrow = ref(query.matches);
  const update = () => (narrow.value = query.matches);
  query.addEventListener('change', update);
  onScopeDispose(() => query.removeEventListener('change', update));
  return narrow;
}
