/** How many tasks are open, for the rail and the desk: asked when one changes, and each minute, for time passes. */
import { readonly, ref, watch } from "vue";
import { api, type Schemas } from "@/api/client";
import { useLive } from "@/api/live";
import { useNow } from "@/kit";

const EVERY_S = 60;
const SETTLE_MS = 400;

export function useTaskCounts() {
  const counts = ref<Schemas["TaskCounts"] | null>(null);
  const { doc } = useLive<{ changed: boolean }>("tasks");
  const now = useNow();
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function load(): Promise<void> {
    try {
      counts.value = await api.get("/api/tasks/counts", { background: true });
    } catch {
      // The next change or minute asks again; a count that is missing is not worth a message.
    }
  }

  watch(doc, () => {
    clearTimeout(timer);
    timer = setTimeout(load, SETTLE_MS);
  });
  watch(() => Math.floor(now.value / EVERY_S), load);
  void load();
  return { counts: readonly(counts), changed: doc };
}
