/** The signed-in agent: the newest state, and what can be asked of the engine. The engine owns every state. */
import { computed, ref, watch, type ComputedRef, type Ref } from "vue";
import { api } from "@/api/client";
import { useLive } from "@/api/live";
import { failed } from "@/kit";
import { useSession } from "@/stores/session";
import { LINE_TAKEN, type AgentView, type CallView } from "./types";

export interface Agent {
  view: ComputedRef<AgentView | null>;
  call: ComputedRef<CallView | null>;
  /** The call that the agent still works on: not one whose outcome is given, nor one put aside. */
  work: ComputedRef<CallView | null>;
  /** A call takes the line now. */
  onLine: ComputedRef<boolean>;
  /** False while the connection is lost and what is shown may be old. */
  current: Readonly<Ref<boolean>>;
}

/** The call that was not answered and that the agent has put aside. */
const aside = ref("");

/** Put aside a call that needs no outcome, so that the desk is free again. */
export function putAside(callId: string): void {
  aside.value = callId;
}

export function useAgent(): Agent {
  const me = useSession().me;
  const live = useLive<AgentView>(`agent:${me?.user.id ?? 0}`);
  const view = computed(() => live.doc.value);
  const call = computed(() => view.value?.call ?? null);
  const work = computed(() => {
    const c = call.value;
    if (c?.state !== "ended" || view.value?.state === "wrap_up") return c;
    return c.dispositioned || c.call_id === aside.value ? null : c;
  });
  const onLine = computed(() => call.value !== null && LINE_TAKEN.includes(call.value.state));
  return { view, call, work, onLine, current: live.current };
}

/** Run `work`; one at a time, errors as messages. `busy` is true meanwhile. */
export function useErrand(): { busy: Ref<boolean>; run: (work: () => Promise<unknown>) => Promise<boolean> } {
  const busy = ref(false);
  async function run(work: () => Promise<unknown>): Promise<boolean> {
    if (busy.value) return false;
    busy.value = true;
    try {
      await work();
      return true;
    } catch (error) {
      failed(error);
      return false;
    } finally {
      busy.value = false;
    }
  }
  return { busy, run };
}

/** Whom a call can be given to. */
export interface Target {
  kind: "agent" | "queue" | "menu" | "voicemail" | "number";
  id: number | null;
  number: string;
}

export type WantedState = "available" | "paused" | "offline";

export const ask = {
  state: (state: WantedState, reason = "") => api.post("/api/agent/state", { body: { state, reason } }),
  pauseAfter: (on: boolean) => api.post("/api/agent/pause-after", { body: { on, reason: "" } }),
  hangUp: () => api.post("/api/agent/call/hangup"),
  hold: (on: boolean) => api.post("/api/agent/call/hold", { body: { on } }),
  digits: (digits: string) => api.post("/api/agent/call/dtmf", { body: { digits } }),
  preview: (dial: boolean) => api.post("/api/agent/call/preview", { body: { dial } }),
  answer: () => api.post("/api/agent/call/answer"),
  decline: () => api.post("/api/agent/call/decline"),
  transfer: (to: Target, attended: boolean) => api.post("/api/agent/call/transfer", { body: { kind: to.kind, id: to.id, number: to.number, attended } }),
  completeTransfer: () => api.post("/api/agent/call/transfer/complete"),
  conference: () => api.post("/api/agent/call/conference"),
  leave: () => api.post("/api/agent/call/leave"),
  dropParty: (key: string) => api.post("/api/agent/call/drop-party", { body: { party_key: key } }),
  park: async () => ((await api.post("/api/agent/call/park")) as { result: { slot: string } }).result.slot,
  pickUp: (slot: string) => api.post("/api/agent/call/pick-up", { body: { slot } }),
  record: (action: "start" | "pause" | "resume") => api.post("/api/agent/call/record", { body: { action } }),
  voicemailDrop: (promptId: number) => api.post("/api/agent/call/voicemail-drop", { body: { prompt_id: promptId } }),
  customer: (customerId: number) => api.post("/api/agent/call/customer", { body: { customer_id: customerId } }),
};

/** Whether a key press belongs to what is being typed or to something that lies over the page. */
export function isTyping(event: KeyboardEvent): boolean {
  if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return true;
  const at = event.target instanceof HTMLElement ? event.target : null;
  if (at?.closest("input, textarea, select, [contenteditable=true], [role=combobox], [role=menu], [role=dialog]")) return true;
  return document.querySelector(".el-overlay:not([style*='display: none'])") !== null;
}

/** Calls `then` when a call is connected, and `ended` when it ends. Not for a call that was up when the page opened. */
export function onCallChange(agent: Agent, then: (call: CallView) => void, ended: (call: CallView) => void): void {
  let first = true;
  watch(
    () => [agent.view.value !== null, agent.call.value?.call_id, agent.call.value?.state] as const,
    ([known, id, state], before) => {
      if (!known) return;
      if (first) {
        first = false;
        return;
      }
      const call = agent.call.value;
      if (!call) return;
      const was = before?.[1] === id ? before?.[2] : undefined;
      if (state === "talking" && was !== "held" && was !== "far_hold" && was !== "talking") then(call);
      if (state === "ended" && was !== undefined && was !== "ended") ended(call);
    },
    { immediate: true },
  );
}
