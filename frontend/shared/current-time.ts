import { onScopeDispose, ref, type Ref } from 'vue';

const TICK_MS = 10_000;

let users = 0;
let timer: ReturnType<typeof setInterval> | undefined;
const now = ref(new Date());

/** The current time, updated every ten seconds by one timer for all users on the page. */
export function useCurrentTime(): Ref<Date> {
  users += 1;
  if (users === 1) {
    now.value = new Date();
    timer = setInterval(() => (now.value = new Date()), TICK_MS);
  }
  onScopeDispose(() => {
    users -= 1;
    if (users === 0) clearInterval(timer);
  });
  return now;
}
