/** What is wrong with the graph as it is drawn, asked a moment after each change. */
import { onBeforeUnmount, ref, shallowRef, watch, type Ref, type ShallowRef } from "vue";
import { api } from "@/api/client";
import type { Flow } from "./graph";
import type { Finding } from "./words";

const WAIT_MS = 500;

export interface Checks {
  findings: Ref<Finding[]>;
  /** What is shown is about an older graph. */
  stale: Ref<boolean>;
  /** Ask at once. */
  now: () => Promise<Finding[]>;
}

export function useChecks(flowId: number, present: ShallowRef<Flow>, first: Finding[]): Checks {
  const findings = ref(first) as Ref<Finding[]>;
  const stale = ref(false);
  const about = shallowRef(present.value);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asked = 0;

  async function now(): Promise<Finding[]> {
    clearTimeout(timer);
    const mine = ++asked;
    const flow = present.value;
    const answer = await api.post("/api/flows/{flow_id}/validate", { path: { flow_id: flowId }, body: { flow } });
    if (mine !== asked) return answer.findings;
    findings.value = answer.findings;
    about.value = flow;
    stale.value = present.value !== flow;
    return answer.findings;
  }

  watch(present, () => {
    stale.value = true;
    clearTimeout(timer);
    // Without an answer the old findings stay; the next change asks again.
    timer = setTimeout(() => void now().catch(() => undefined), WAIT_MS);
  });
  onBeforeUnmount(() => clearTimeout(timer));
  return { findings, stale, now };
}
