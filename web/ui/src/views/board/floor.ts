/** The whole floor, live: documents of agents, queues, campaigns, lines and menus, and names for campaigns. */
import { computed, onMounted, shallowRef, type ComputedRef, type ShallowRef } from "vue";
import { api } from "@/api/client";
import { useLive } from "@/api/live";
import type { AgentView } from "@/views/desk/types";
import type { Doc, Floor, QueueView } from "./types";

export interface LiveFloor {
  floor: ComputedRef<Floor>;
  /** False while the connection is lost and what is shown may be old. */
  current: ComputedRef<boolean>;
  campaignNames: ShallowRef<Map<number, string>>;
}

export function useFloor(): LiveFloor {
  const agents = useLive<Record<string, AgentView>>("agents");
  const queues = useLive<Record<string, QueueView>>("queues");
  const campaigns = useLive<Record<string, Doc>>("campaigns");
  const trunks = useLive<Doc>("trunks");
  const menus = useLive<Doc>("menus");
  const campaignNames = shallowRef(new Map<number, string>());
  onMounted(async () => {
    try {
      const page = await api.get("/api/campaigns", { query: { per_page: 200 }, background: true });
      campaignNames.value = new Map(page.items.map((c) => [c.id, c.name]));
    } catch {
      campaignNames.value = new Map(); // numbers stand in for names
    }
  });
  const floor = computed(() => ({
    agents: agents.doc.value ?? {},
    queues: queues.doc.value ?? {},
    campaigns: campaigns.doc.value ?? {},
    trunks: trunks.doc.value,
    menus: menus.doc.value,
  }));
  const current = computed(() => agents.current.value && queues.current.value);
  return { floor, current, campaignNames };
}
