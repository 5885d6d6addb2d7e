import { computed, onScopeDispose, ref, watch, type ComputedRef, type Ref } from 'vue';

export interface Windowing {
  /** Indices of the rows to render, `to` exclusive: the visible ones and a few beyond. */
  range: ComputedRef<{ from: number; to: number }>;
  /** Total height of all rows, in px. */
  totalHeight: ComputedRef<number>;
  scrollToRow(index: number): void;
}

/** Rows rendered beyond each edge, so that fast scrolling shows no gaps. */
const OVERSCAN = 8;

/**
 * Computes which rows of a scrolling list to render, so that only visible ones are in the document.
 *
 * @param rowHeight height of every row, in px
 * @param headHeight height of a sticky head inside the list, in px
 */
export function useWindowing(
  list: Ref<HTMLElement | null | undefined>,
  count: () => number,
  rowHeight: () => number,
  headHeight: () => number = () => 0,
): Windowing {
  const firstVisible = ref(0);
  const visibleRows = ref(20);

  const measure = () => {
    const element = list.value;
    if (!element) return;
    firstVisible.value = Math.floor(element.scrollTop / rowHeight());
    visibleRows.value = Math.ceil((element.clientHeight - headHeight()) / rowHeight()) + 1;
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
      from: Math.max(0, Math.min(firstVisible.value, count()) - OVERSCAN),
      to: Math.min(count(), firstVisible.value + visibleRows.value + OVERSCAN),
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
