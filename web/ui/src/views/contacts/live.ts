/** The live document of one job at a time, for the dialog that follows it. */
import { effectScope, onScopeDispose, readonly, shallowRef, watch, type EffectScope, type ShallowRef } from "vue";
import { useLive } from "@/api/live";
import type { JobDocument } from "./jobs";

export function useLiveJob(): { doc: Readonly<ShallowRef<JobDocument | null>>; follow: (id: string | null) => void } {
  const doc = shallowRef<JobDocument | null>(null);
  let scope: EffectScope | null = null;

  function follow(id: string | null): void {
    scope?.stop();
    doc.value = null;
    if (id === null) return;
    scope = effectScope(true);
    scope.run(() => {
      const live = useLive<JobDocument>(`contact-job:${id}`);
      watch(live.doc, (now) => (doc.value = now), { immediate: true });
    });
  }

  onScopeDispose(() => scope?.stop());
  return { doc: readonly(doc) as Readonly<ShallowRef<JobDocument | null>>, follow };
}
