/** Keeps the draft: what is drawn is sent a moment after the last change, and never over somebody else's work. */
import { onBeforeUnmount, ref, shallowRef, watch, type Ref, type ShallowRef } from "vue";
import { ApiError, NoConnection, NotSignedIn } from "@/api/errors";
import { failed } from "@/kit";
import { sameFlow, type Flow } from "./graph";

const SAVE_MS = 800;
const RETRY_MS = 5000;

/** saved, waiting (typed a moment ago), saving, away (no answer: tried again), conflict (somebody else saved). */
export type SaveState = "saved" | "waiting" | "saving" | "away" | "conflict";

export interface Draft {
  state: Ref<SaveState>;
  /** Version of the draft on the server that ours follows. */
  revision: Ref<number>;
  /** What the server has. */
  stored: ShallowRef<Flow>;
  /** Send what is not sent yet. Resolves with whether the server has all of it. */
  flush: () => Promise<boolean>;
  /** The server's draft is taken as ours. */
  take: (flow: Flow, revision: number) => void;
}

/**
 * Follows `present` and sends it by `send(flow, revision)`, which resolves with the new revision and throws an ApiError
 * of status 409 when the draft has changed meanwhile. `allowed`: the user may change it.
 */
export function useDraft(present: ShallowRef<Flow>, send: (flow: Flow, revision: number) => Promise<number>, allowed: () => boolean): Draft {
  const state = ref<SaveState>("saved");
  const revision = ref(0);
  const stored = shallowRef<Flow>(present.value);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running: Promise<void> | null = null;

  function later(ms: number): void {
    clearTimeout(timer);
    timer = setTimeout(() => void save(), ms);
  }

  async function save(): Promise<void> {
    clearTimeout(timer);
    if (state.value === "conflict") return;
    if (running) {
      await running;
      if (present.value !== stored.value) await save();
      return;
    }
    if (present.value === stored.value) {
      state.value = "saved";
      return;
    }
    running = once().finally(() => (running = null));
    await running;
  }

  async function once(): Promise<void> {
    const sent = present.value;
    state.value = "saving";
    try {
      revision.value = await send(sent, revision.value);
      stored.value = sent;
      state.value = present.value === sent ? "saved" : "waiting";
      if (present.value !== sent) later(SAVE_MS);
    } catch (error) {
      if (error instanceof ApiError && error.status === 409) state.value = "conflict";
      else {
        state.value = "away";
        if (!(error instanceof NoConnection || error instanceof NotSignedIn) && !(error instanceof ApiError && error.status >= 500)) failed(error);
        later(RETRY_MS);
      }
    }
  }

  watch(present, (now) => {
    if (!allowed() || state.value === "conflict" || now === stored.value) return;
    if (state.value !== "saving") state.value = "waiting";
    later(SAVE_MS);
  });

  function warn(event: BeforeUnloadEvent): void {
    if (state.value === "saved" || !allowed()) return;
    void save();
    event.preventDefault();
  }
  window.addEventListener("beforeunload", warn);
  onBeforeUnmount(() => {
    window.removeEventListener("beforeunload", warn);
    clearTimeout(timer);
    if (allowed() && (state.value === "waiting" || state.value === "away")) void save();
  });

  return {
    state,
    revision,
    stored,
    flush: async () => {
      if (allowed()) await save();
      return state.value === "saved";
    },
    take: (flow, now) => {
      clearTimeout(timer);
      revision.value = now;
      stored.value = flow;
      state.value = "saved";
      if (!sameFlow(present.value, flow)) present.value = flow;
      else stored.value = present.value;
    },
  };
}
