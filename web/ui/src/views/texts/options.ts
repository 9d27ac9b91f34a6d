/** What writing texts needs to know: placeholders, signature, balance, prices, limits. Asked when a page opens. */
import { shallowRef } from "vue";
import { api, type Schemas } from "@/api/client";
import { failed } from "@/kit";

const options = shallowRef<Schemas["TextOptions"] | null>(null);

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
