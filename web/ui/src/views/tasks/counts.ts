/** How many tasks are open, for the rail, the page and the desk: one number for all of them, asked when a task changes and
 * each minute, for time passes. */
import { readonly, ref, watch } from "vue";
import { api, type Schemas } from "@/api/client";
import { useLive } from "@/api/live";
import { useNow } from "@/kit";

const EVERY_S = 60;
const SETTLE_MS = 300;
const counts = ref<Schemas["TaskCounts"] | null>(null);
let timer: ReturnType<typeof setTimeout> | undefined;

async function load(): Promise<void> {
  try {
    counts.value = await api.get("/api/tasks/counts", { background: true });
  } catch {
    // The next change or minute asks again; a count that is missing is not worth a message.
  }
}

/** Ask again, once for many changes. */
export function recount(): void {
  clearTimeout(timer);
  timer = setTimeout(load, SETTLE_MS);
}

export function useTaskCounts() {
  const { doc } = useLive<{ changed: boolean }>("tasks");
  const now = useNow();
  watch(doc, recount);
  watch(() => Math.floor(now.value / EVERY_S), recount);
  recount();
  return { counts: readonly(counts), changed: doc };
}
