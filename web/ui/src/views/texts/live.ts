/** A send with its newest figures, which come over the live topic `send:{id}` while it is under way. */
import { computed, watch, type ComputedRef } from "vue";
import type { Schemas } from "@/api/client";
import { useLive } from "@/api/live";
import { TEXT_STATES } from "./looks";

export type TextSend = Schemas["TextSend"];
const LIVE = ["state", "asked", "expected", "duplicates", "charged_minor", "segments", "finished_at", ...TEXT_STATES] as const;

/** `changed` is called with each new document. */
export function useSendLive(send: () => TextSend, changed?: () => void): ComputedRef<TextSend> {
  const { doc } = useLive<Partial<TextSend>>(`send:${send().id}`);
  if (changed) watch(doc, (now, before) => now !== null && before !== null && changed());
  return computed(() => {
    const newest = { ...send() };
    const from = doc.value as Record<string, unknown> | null;
    if (from) for (const key of LIVE) if (from[key] !== undefined && from[key] !== null) (newest as Record<string, unknown>)[key] = from[key];
    return newest;
  });
}

/** How many texts it has, or seems to get while its recipients are still being read. */
export const sizeOf = (send: TextSend): number => (send.state === "preparing" ? Math.max(send.asked, send.expected) : send.asked);

/** The state's word: a send whose time is still ahead is scheduled. */
export function stateOf(send: TextSend): string {
  return send.scheduled && (send.state === "sending" || send.state === "preparing") ? "scheduled" : send.state;
}
