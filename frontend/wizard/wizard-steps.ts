import { computed, nextTick, ref, watch, type ComputedRef, type Ref } from 'vue';
import { useRoute, useRouter, type LocationQuery } from 'vue-router';
import { ROUTE } from '../route-names.ts';
import type { useDraftStore } from './draft.store.ts';
import { faultsIn, WIZARD_STEPS, type Faults, type WizardStep } from './draft.ts';

export interface WizardSteps {
  step: ComputedRef<WizardStep>;
  /** Index of the furthest step that was seen; steps up to it can be gone to. */
  reached: Ref<number>;
  /** Steps that one has tried to leave with faults in them. */
  faulty: ComputedRef<WizardStep[]>;
  /** Faults of the step on the screen. Nobody is scolded while typing for the first time. */
  shownFaults: ComputedRef<Faults>;
  goTo(index: number): Promise<void>;
  /** To the next step, or to the first fault of this one. */
  next(): Promise<void>;
  /** Checks every step and goes to the first fault; answers whether there is one. */
  showFaults(): Promise<boolean>;
}

/** Where one is in the wizard, and which faults are shown. `form` takes the focus with each step. */
export function useWizardSteps(
  store: ReturnType<typeof useDraftStore>,
  form: Readonly<Ref<HTMLElement | null>>,
): WizardSteps {
  const route = useRoute();
  const router = useRouter();
  const checked = ref(new Set<WizardStep>(WIZARD_STEPS.slice(0, store.step)));
  const reached = ref(store.step);

  const step = computed<WizardStep>(() => WIZARD_STEPS[store.step] ?? 'basic');
  const isFaulty = (name: WizardStep) => faultsIn(name, store.faults).length > 0;

  /** Steps stand in the address, so that the browser's Back leads to the step before. */
  const addressOf = (index: number) => ({
    query: index === 0 ? {} : { step: WIZARD_STEPS[index] },
  });
  const indexIn = (query: LocationQuery) =>
    Math.max(0, WIZARD_STEPS.indexOf(query['step'] as WizardStep));

  // A draft that was kept is gone on with where it was left; an address ahead of it is not followed.
  if (indexIn(route.query) !== store.step) void router.replace(addressOf(store.step));
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
    const { fullPath } = router.resolve(addressOf(index));
    if (history.state?.back === fullPath) router.back();
    else await router.push(addressOf(index));
  }

  async function show(index: number): Promise<void> {
    store.step = index;
    await nextTick();
    form.value?.focus({ preventScroll: true });
    form.value?.scrollIntoView({ block: 'nearest' });
  }

  async function focusFirstFault(): Promise<void> {
    await nextTick();
    const [field] = faultsIn(step.value, store.faults);
    form.value?.querySelector<HTMLElement>(`[data-field="${field}"] :is(input, textarea)`)?.focus();
  }

  return {
    step,
    reached,
    faulty: computed(() =>
      WIZARD_STEPS.filter((name) => checked.value.has(name) && isFaulty(name)),
    ),
    shownFaults: computed(() =>
      checked.value.has(step.value) ? store.faults : store.serverFaults,
    ),
    goTo,
    async next() {
      checked.value.add(step.value);
      if (isFaulty(step.value)) await focusFirstFault();
      else await goTo(store.step + 1);
    },
    async showFaults() {
      for (const name of WIZARD_STEPS) checked.value.add(name);
      const index = WIZARD_STEPS.findIndex(isFaulty);
      if (index === -1) return false;
      await goTo(index);
      await focusFirstFault();
      return true;
    },
  };
}
