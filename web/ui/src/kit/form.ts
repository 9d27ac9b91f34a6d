/**
 * Forms: values, errors beside their fields, one request at a time.
 *
 *     const form = useForm({ name: "", roles: [] as number[] });
 *     await form.submit((values) => api.post("/api/users", { body: values }), () => close());
 */
import { ElMessage } from "element-plus";
import { reactive, ref, type Ref } from "vue";
import { ApiError, messageOf, NotSignedIn } from "@/api/errors";

export interface Form<T extends object> {
  values: T;
  errors: Record<string, string>;
  busy: Ref<boolean>;
  /** Put other values in and forget the errors. */
  reset: (values: T) => void;
  /** Send the values; what the server finds wrong lands in `errors`, everything else in a message. */
  submit: <R>(send: (values: T) => Promise<R>, done?: (answer: R) => unknown) => Promise<boolean>;
}

export function useForm<T extends object>(initial: T): Form<T> {
  const values = reactive(structuredClone(initial)) as T;
  const errors = reactive<Record<string, string>>({});
  const busy = ref(false);

  function clear(): void {
    for (const key of Object.keys(errors)) delete errors[key];
  }

  function reset(next: T): void {
    Object.assign(values, structuredClone(next));
    clear();
  }

  async function submit<R>(send: (values: T) => Promise<R>, done?: (answer: R) => unknown): Promise<boolean> {
    if (busy.value) return false;
    busy.value = true;
    clear();
    let answer: R;
    try {
      answer = await send(values);
    } catch (error) {
      if (error instanceof NotSignedIn) return false;
      const found = error instanceof ApiError ? error.fields : {};
      const known = Object.entries(found).filter(([field]) => (field.split(".")[0] ?? "") in values);
      for (const [field, text] of known) errors[field.split(".")[0] ?? field] = errors[field] = text; // "a.b" is found at "a" too
      // One field and a text of its own for the code: that text is the more exact one.
      if (known.length === 1 && error instanceof ApiError && error.code !== "invalid_input") errors[known[0][0].split(".")[0] ?? ""] = error.text;
      if (known.length === 0) ElMessage.error({ message: messageOf(error), grouping: true, duration: 6000 });
      return false;
    } finally {
      busy.value = false;
    }
    await done?.(answer);
    return true;
  }

  return { values, errors, busy, reset, submit };
}
