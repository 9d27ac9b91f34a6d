/** How many conversations have something unread, for the rail and the page: asked when one changes and each minute. */
import { readonly, ref, watch } from "vue";
import { api, type Schemas } from "@/api/client";
import { useLive } from "@/api/live";
import { useNow } from "@/kit";

const EVERY_S = 60;
const SETTLE_MS = 300;
const counts = ref<Schemas["ConversationCounts"] | null>(null);
let timer: ReturnType<typeof setTimeout> | undefined;

async function load(): Promise<void> {
  try {
    counts.value = await api.get("/api/conversations/counts", { background: true });
  } catch {
    // The next change or minute asks again; a count that is missing is not worth a message.
  }
}

/** Ask again, once for many changes. */
export function recount(): void {
  clearTimeout(timer);
  timer = setTimeout(load, SETTLE_MS);
}

export function useConversationCounts() {
  const { doc } = useLive<unknown>("texts");
  const now = useNow();
  watch(doc, recount);
  watch(() => Math.floor(now.value / EVERY_S), recount);
  recount();
  return { counts: readonly(counts), changed: doc };
}
