/** What the pages of the purse share: balances that stay current, and the words for what they are enough for. */
import { onMounted, ref, shallowRef, watch, type Ref, type ShallowRef } from "vue";
import { useI18n } from "vue-i18n";
import { api, type Schemas } from "@/api/client";
import { useLive } from "@/api/live";
import { format } from "@/kit";

export type Balance = Schemas["Balance"];
export type TopUp = Schemas["TopUp"];
export const KINDS = ["sms", "mms"] as const;
export const PURPOSES = ["code", "service", "marketing"] as const;
export const STATES = ["open", "paid", "cancelled", "expired"] as const;

let current: Promise<Balance[]> | null = null;
let next: Promise<Balance[]> | null = null;

/** The balances as they are now: never older than the call, and asked for once however many parts of a page want them. */
function fresh(background: boolean): Promise<Balance[]> {
  const ask = (): Promise<Balance[]> =>
    (current = api
      .get("/api/purse", { background })
      .then((answer) => answer.balances)
      .finally(() => (current = null)));
  if (!current) return ask();
  next ??= current
    .catch(() => [])
    .then(() => {
      next = null;
      return ask();
    });
  return next;
}

/** The balances; `changed` counts what was told of them since the page was opened. */
export function useBalances(): { balances: ShallowRef<Balance[] | null>; error: ShallowRef<unknown>; changed: Ref<number>; load: () => Promise<void> } {
  const balances = shallowRef<Balance[] | null>(null);
  const error = shallowRef<unknown>(null);
  const changed = ref(0);
  const live = useLive<object>("purse");

  async function ask(background: boolean): Promise<void> {
    try {
      balances.value = await fresh(background);
      error.value = null;
    } catch (caught) {
      error.value = caught;
    }
  }

  const load = (): Promise<void> => ask(false);
  // What is pushed may be a second older than what was just asked for: it only tells that it is time to ask again.
  watch(live.doc, async (told) => {
    if (!told) return;
    await ask(true);
    changed.value += 1;
  });
  onMounted(load);
  return { balances, error, changed, load };
}

/** "Enough for 5,000 to 6,250 segments". */
export function useEnough(): (balance: Balance) => string {
  const { t } = useI18n();
  return (b) => {
    const [least, most] = [b.least_price_minor, b.most_price_minor];
    if (least === null || most === null) return t("purse.no_route");
    if (most === 0) return t("purse.free");
    const [low, high] = [Math.floor(b.available_minor / most), least === 0 ? null : Math.floor(b.available_minor / least)];
    if (high === null) return t("purse.enough_least", { n: format.integer(low) });
    return low === high ? t("purse.enough", { n: format.integer(low) }, low) : t("purse.enough_range", { low: format.integer(low), high: format.integer(high) });
  };
}

/** A key that makes a repeated request the same one. */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}
