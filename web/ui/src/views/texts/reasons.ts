/** Why a text was refused or is held: a sentence for each check and rule, with what it says of itself. */
import { useI18n } from "vue-i18n";
import { format } from "@/kit";
import { money } from "@/kit/money";

/** Parameters that are instants, in seconds since the epoch. */
const INSTANTS = new Set(["until", "opens"]);

export function useReasons() {
  const { t, te } = useI18n();

  /** In plain words. `params` as the check gave them. */
  function reason(check: string, rule: string, params: Record<string, unknown> = {}, currency = "CNY"): string {
    const key = `texts.refusal.${check}.${rule}`;
    const shown = Object.fromEntries(
      Object.entries(params).map(([name, value]) => {
        if (typeof value !== "number") return [name, String(value ?? "")];
        if (INSTANTS.has(name)) return [name, format.dateTime(value)];
        return [name, name.endsWith("_minor") ? money(value, currency) : format.integer(value)];
      }),
    );
    if (te(key)) return t(key, shown);
    return te(`texts.check.${check}`) ? t(`texts.check.${check}`) : t("texts.refused_otherwise");
  }

  /** Why the carrier did not deliver: its own words or those for its code, and the code itself. */
  function fault(text: { error: string; error_code: string }): string {
    const code = text.error_code;
    const words = text.error || (te(`texts.carrier_said.${code}`) ? t(`texts.carrier_said.${code}`) : "");
    return [words, code ? t("texts.carrier_code", { code }) : ""].filter(Boolean).join(" · ");
  }

  return { reason, fault };
}
