/** What waits in texts, for the rail and the tabs: asked when something changes and each minute. */
import { computed, ref, watch } from "vue";
import { api } from "@/api/client";
import { useLive } from "@/api/live";
import { useNow } from "@/kit";
import { useSession } from "@/stores/session";

const EVERY_S = 60;
const SETTLE_MS = 300;
const approvals = ref(0);
let timer: ReturnType<typeof setTimeout> | undefined;

async function load(): Promise<void> {
  try {
    approvals.value = (await api.get("/api/text-approvals", { query: { per_page: 1 }, background: true })).total;
  } catch {
    // The next change or minute asks again; a count that is missing is not worth a message.
  }
}

/** Ask again, once for many changes. */
export function recount(): void {
  clearTimeout(timer);
  timer = setTimeout(load, SETTLE_MS);
}

export function useTextCounts() {
  const session = useSession();
  if (session.can("texts.approve")) {
    const { doc } = useLive<unknown>("texts");
    const now = useNow();
    watch(doc, recount);
    watch(() => Math.floor(now.value / EVERY_S), recount);
    recount();
  }
  return { counts: computed(() => ({ approvals: session.can("texts.approve") ? approvals.value : 0 })) };
}
