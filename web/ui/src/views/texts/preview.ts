/** What a send would do, asked again shortly after each change; the newest answer counts. */
import { onScopeDispose, ref, shallowRef, watch } from "vue";
import { api, type Schemas } from "@/api/client";
import { ApiError, messageOf, NotSignedIn } from "@/api/errors";
import { useFaults } from "./faults";

const SETTLE_MS = 400;

/** `wanted` null: there is nothing to be asked. */
export function usePreview(wanted: () => Schemas["PreviewText"] | null) {
  const { faults } = useFaults();
  const preview = shallowRef<Schemas["TextPreview"] | null>(null);
  const errors = shallowRef<Record<string, string>>({});
  const problem = ref("");
  const checking = ref(false);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running: AbortController | null = null;

  async function ask(body: Schemas["PreviewText"]): Promise<void> {
    const mine = (running = new AbortController());
    try {
      const answer = await api.post("/api/texts/preview", { body, signal: mine.signal });
      preview.value = answer;
      errors.value = {};
      problem.value = "";
    } catch (error) {
      if (mine.signal.aborted || error instanceof NotSignedIn) return;
      errors.value = error instanceof ApiError ? faults(error) : {};
      problem.value = Object.keys(errors.value).length === 0 ? messageOf(error) : "";
      preview.value = null;
    } finally {
      if (running === mine) checking.value = false;
    }
  }

  watch(
    () => JSON.stringify(wanted()),
    (text) => {
      clearTimeout(timer);
      running?.abort();
      const body = JSON.parse(text) as Schemas["PreviewText"] | null;
      checking.value = body !== null;
      if (body === null) {
        preview.value = null;
        errors.value = {};
        problem.value = "";
      } else timer = setTimeout(() => void ask(body), SETTLE_MS);
    },
    { immediate: true },
  );
  onScopeDispose(() => {
    clearTimeout(timer);
    running?.abort();
  });
  return { preview, errors, problem, checking };
}
