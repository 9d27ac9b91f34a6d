/** Undo and redo over whole graphs. Small changes of one kind that follow each other quickly are one step. */
import { computed, shallowRef, type ComputedRef, type ShallowRef } from "vue";
import type { Flow } from "./graph";

const STEPS = 200;
const MERGE_MS = 1200;

export interface History {
  present: ShallowRef<Flow>;
  canUndo: ComputedRef<boolean>;
  canRedo: ComputedRef<boolean>;
  /** Take `next` as the present. `kind`: what is changed; the same kind again within a moment is the same step. */
  apply: (next: Flow, kind?: string) => void;
  undo: () => void;
  redo: () => void;
  /** Begin anew with `flow`. */
  reset: (flow: Flow) => void;
}

export function useHistory(first: Flow): History {
  const present = shallowRef(first);
  const past = shallowRef<Flow[]>([]);
  const future = shallowRef<Flow[]>([]);
  let lastKind = "";
  let lastAt = 0;

  function apply(next: Flow, kind = ""): void {
    if (next === present.value) return;
    const now = performance.now();
    const merged = kind !== "" && kind === lastKind && now - lastAt < MERGE_MS;
    if (!merged) past.value = [...past.value.slice(-STEPS), present.value];
    lastKind = kind;
    lastAt = now;
    future.value = [];
    present.value = next;
  }

  function step(from: ShallowRef<Flow[]>, to: ShallowRef<Flow[]>): void {
    const flow = from.value.at(-1);
    if (!flow) return;
    from.value = from.value.slice(0, -1);
    to.value = [...to.value, present.value];
    present.value = flow;
    lastKind = "";
  }

  return {
    present,
    canUndo: computed(() => past.value.length > 0),
    canRedo: computed(() => future.value.length > 0),
    apply,
    undo: () => step(past, future),
    redo: () => step(future, past),
    reset: (flow) => {
      past.value = [];
      future.value = [];
      lastKind = "";
      present.value = flow;
    },
  };
}
