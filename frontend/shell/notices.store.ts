import { defineStore } from 'pinia';
import { ref } from 'vue';
import type { Tone } from '../shared/statuses.ts';

export interface Toast {
  id: number;
  tone: Tone;
  text: string;
}

const SHOWN_MS = 6_000;

/** Toasts after an action, and whether the session has expired. */
export const useNoticesStore = defineStore('ota-notices', () => {
  const notices = ref<Toast[]>([]);
  const signedOut = ref(false);
  let lastId = 0;

  function dismiss(id: number): void {
    notices.value = notices.value.filter((notice) => notice.id !== id);
  }

  function show(tone: Tone, text: string): void {
    const id = ++lastId;
    notices.value.push({ id, tone, text });
    setTimeout(() => dismiss(id), SHOWN_MS);
  }

  return { notices, signedOut, show, dismiss };
});
