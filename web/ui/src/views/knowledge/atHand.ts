/** Whether the knowledge base stands open beside the call. On the desk it has a column of its own, elsewhere it lies
 * over the page at the right. */
import { ref } from "vue";

export const atHand = ref(false);
/** Where the reader came from, to give the focus back. */
let before: HTMLElement | null = null;

export function openAtHand(): void {
  before = document.activeElement instanceof HTMLElement ? document.activeElement : null;
  atHand.value = true;
}

export function closeAtHand(): void {
  atHand.value = false;
  if (before?.isConnected && before !== document.body) before.focus({ preventScroll: true });
  else (document.activeElement as HTMLElement | null)?.blur();
  before = null;
}
