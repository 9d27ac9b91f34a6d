/** What writing texts needs to know: placeholders, signature, balance, prices, limits. Asked when a page opens. */
import { shallowRef } from "vue";
import { api, type Schemas } from "@/api/client";
import { failed } from "@/kit";
import { signed } from "./signed";

const options = shallowRef<Schemas["TextOptions"] | null>(null);

/** `body` as it goes out: with the usual signature, or with the one given. */
export function sign(body: string, signature?: string): string {
  return signed(body, signature ?? options.value?.signature ?? "", options.value?.signature_required ?? false);
}

export function useTextOptions() {
  const reload = async (): Promise<void> => {
    try {
      options.value = await api.get("/api/texts/options");
    } catch (error) {
      failed(error);
    }
  };
  return { options, ready: reload() };
}
