import { computed, onScopeDispose, ref, watch, type ComputedRef, type Ref } from 'vue';

export interface Windowing {
  /** Indices of the rows to render: those in sight and a few beyond. */
  range: ComputedRef<{ from: number; to: number }>;
  /** Height of all rows together, in px. */
  totalHeight: ComputedRef<number>;
  scrollToRow(index: number): void;
}

/** Rows rendered beyond the edge, so that fast scrolling shows rows and not a void. */
const OVERSCAN = 8;

/**
 * Renders only what is in sight of a list of any length. Rows all have the same height; the list
 * element scrolls.
 */
export function useWindowing(
  list: Ref<HTMLElement | null | undefined>,
  count: () => number,
  rowHeight: () => number,
  /** Height of a sticky head inside the list, in px. */
  headHeight: () => number = () => 0,
): Windowing {
  const firstInSight = ref(0);
  const rowsInSight = ref(20);

  const measure = () => {
    const element = list.value;
    if (!element) return;
    firstInSight.value = Math.floor(element.scrollTop / rowHeight());
    rowsInSight.value = Math.ceil((element.clientHeight - headHeight()) / rowHeight()) + 1;
  };
  const observer = new ResizeObserver(measure);

  watch(
    list,
    (element, before) => {
      if (before) {
        before.removeEventListener('scroll', measure);
        observer.unobserve(before);
      }
      if (!element) return;
      element.addEventListener('scroll', measure, { passive: true });
      observer.observe(element);
      measure();
    },
    { immediate: true, flush: 'post' },
  );
  watch(rowHeight, measure);
  onScopeDispose(() => {
    list.value?.removeEventListener('scroll', measure);
    observer.disconnect();
  });

  return {
    range: computed(() => ({
      from: Math.max(0, Math.min(firstInSight.value, count()) - OVERSCAN),
      to: Math.min(count(), firstInSight.value + rowsInSight.value + OVERSCAN),
    })),
    totalHeight: computed(() => count() * rowHeight()),
    scrollToRow(index) {
      const element = list.value;
      if (!element) return;
      const top = index * rowHeight();
      if (top < element.scrollTop) element.scrollTop = top;
      const bottom = top + rowHeight() + headHeight();
      if (bottom > element.scrollTop + element.clientHeight) {
        element.scrollTop = bottom - element.clientHeight;
      }
    },
  };
}
