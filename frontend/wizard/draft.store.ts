import { defineStore } from 'pinia';
import { computed, reactive, ref, watch } from 'vue';
import { validateDraft } from './draft-validation.ts';
import { emptyDraft, WIZARD_STEPS, type Draft, type DraftErrors } from './draft.ts';

const STORAGE_KEY = 'ota-deployment-draft';

interface Stored {
  draft: Draft;
  step: number;
}

/** The wizard's draft, kept in session storage so that it survives a reload. */
export const useDraftStore = defineStore('ota-draft', () => {
  const stored = restore();
  const draft = reactive<Draft>(stored?.draft ?? emptyDraft());
  const step = ref(stored?.step ?? 0);
  /** Errors from the server; each is removed when its field changes. */
  const serverErrors = ref<DraftErrors>({});
  const errors = computed<DraftErrors>(() => ({
    ...serverErrors.value,
    ...validateDraft(draft, new Date()),
  }));

  watch(
    [draft, step],
    () => {
      try {
        sessionStorage.setItem(STORAGE_KEY, JSON.stringify({ draft, step: step.value }));
      } catch {
        // Storage is full or blocked: the draft then lasts only as long as the page.
      }
    },
    { deep: true },
  );

  /** Whether the draft differs from an empty one. */
  function hasEntries(): boolean {
    return JSON.stringify(draft) !== JSON.stringify(emptyDraft());
  }

  function clear(): void {
    Object.assign(draft, emptyDraft());
    step.value = 0;
    serverErrors.value = {};
  }

  return { draft, step, serverErrors, errors, hasEntries, clear };
});

function restore(): Stored | null {
  try {
    const value = JSON.parse(
      sessionStorage.getItem(STORAGE_KEY) ?? 'null',
    ) as Partial<Stored> | null;
    if (!value?.draft) return null;
    const step = Math.min(Math.max(0, Number(value.step) || 0), WIZARD_STEPS.length - 1);
    return { draft: { ...emptyDraft(), ...value.draft }, step };
  } catch {
    return null;
  }
}
