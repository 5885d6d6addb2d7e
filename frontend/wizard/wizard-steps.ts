import { computed, nextTick, ref, watch, type ComputedRef, type Ref } from 'vue';
import { useRoute, useRouter, type LocationQuery } from 'vue-router';
import { ROUTE } from '../route-names.ts';
import type { useDraftStore } from './draft.store.ts';
import { errorsIn, WIZARD_STEPS, type DraftErrors, type WizardStep } from './draft.ts';

export interface WizardSteps {
  step: ComputedRef<WizardStep>;
  /** Index of the furthest step reached; steps up to it can be opened. */
  reached: Ref<number>;
  /** Steps with errors that the user has tried to leave. */
  invalidSteps: ComputedRef<WizardStep[]>;
  /** Errors to show in the current step: only the server's until the user has tried to leave it. */
  visibleErrors: ComputedRef<DraftErrors>;
  goTo(index: number): Promise<void>;
  /** Goes to the next step, or to the first error of this one. */
  next(): Promise<void>;
  /** Validates all steps and goes to the first error. Resolves with whether there is one. */
  showErrors(): Promise<boolean>;
}

/** The current step of the wizard and the errors to show. `form` receives the focus with each step. */
export function useWizardSteps(
  store: ReturnType<typeof useDraftStore>,
  form: Readonly<Ref<HTMLElement | null>>,
): WizardSteps {
  const route = useRoute();
  const router = useRouter();
  const checked = ref(new Set<WizardStep>(WIZARD_STEPS.slice(0, store.step)));
  const reached = ref(store.step);

  const step = computed<WizardStep>(() => WIZARD_STEPS[store.step] ?? 'basic');
  const isInvalid = (name: WizardStep) => errorsIn(name, store.errors).length > 0;

  /** The step is in the URL, so that the browser's Back button leads to the previous step. */
  const locationOf = (index: number) => ({
    query: index === 0 ? {} : { step: WIZARD_STEPS[index] },
  });
  const indexIn = (query: LocationQuery) =>
    Math.max(0, WIZARD_STEPS.indexOf(query['step'] as WizardStep));

  // A restored draft continues at its step, even if the URL names a later one.
  if (indexIn(route.query) !== store.step) void router.replace(locationOf(store.step));
  watch(
    () => indexIn(route.query),
    (index) => {
      const isMove = route.name === ROUTE.create && index !== store.step;
      if (isMove && index <= reached.value) void show(index);
    },
  );

  async function goTo(index: number): Promise<void> {
    reached.value = Math.max(reached.value, index);
    await show(index);
    if (index === indexIn(route.query)) return;
    const { fullPath } = router.resolve(locationOf(index));
    if (history.state?.back === fullPath) router.back();
    else await router.push(locationOf(index));
  }

  async function show(index: number): Promise<void> {
    store.step = index;
    await nextTick();
    form.value?.focus({ preventScroll: true });
    form.value?.scrollIntoView({ block: 'nearest' });
  }

  async function focusFirstError(): Promise<void> {
    await nextTick();
    const [field] = errorsIn(step.value, store.errors);
    form.value?.querySelector<HTMLElement>(`[data-field="${field}"] :is(input, textarea)`)?.focus();
  }

  return {
    step,
    reached,
    invalidSteps: computed(() =>
      WIZARD_STEPS.filter((name) => checked.value.has(name) && isInvalid(name)),
    ),
    visibleErrors: computed(() =>
      checked.value.has(step.value) ? store.errors : store.serverErrors,
    ),
    goTo,
    async next() {
      checked.value.add(step.value);
      if (isInvalid(step.value)) await focusFirstError();
      else await goTo(store.step + 1);
    },
    async showErrors() {
      for (const name of WIZARD_STEPS) checked.value.add(name);
      const index = WIZARD_STEPS.findIndex(isInvalid);
      if (index === -1) return false;
      await goTo(index);
      await focusFirstError();
      return true;
    },
  };
}
