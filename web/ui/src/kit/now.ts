/** One clock for all that counts on a page: ticks each second, by the server's time. */
import { onScopeDispose, readonly, ref, type Ref } from "vue";
import { serverNow } from "@/api/live";

const now = ref(serverNow());
let users = 0;
let timer: ReturnType<typeof setInterval> | undefined;

/** Seconds since the epoch by the server's clock; changes each second while a component uses it. */
export function useNow(): Readonly<Ref<number>> {
  users += 1;
  now.value = serverNow();
  timer ??= setInterval(() => (now.value = serverNow()), 1000);
  onScopeDispose(() => {
    users -= 1;
    if (users > 0) return;
    clearInterval(timer);
    timer = undefined;
  });
  return readonly(now);
}
