/** A page that fails in an unforeseen way shows what happened, and the frame stays usable. */
import { onErrorCaptured, shallowRef, watch, type ShallowRef } from "vue";
import { NotSignedIn } from "@/api/errors";

export function usePageError(path: () => string): { error: ShallowRef<unknown>; clear: () => void } {
  const error = shallowRef<unknown>(null);
  const clear = () => {
    error.value = null;
  };
  onErrorCaptured((caught) => {
    if (!(caught instanceof NotSignedIn)) {
      console.error(caught);
      error.value = caught;
    }
    return false;
  });
  watch(path, clear);
  return { error, clear };
}
