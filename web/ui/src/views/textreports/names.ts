/** Names of groups whose keys are no ids. */
import { useI18n } from "vue-i18n";
import { format } from "@/kit";
import { useReasons } from "../texts/reasons";
import type { Group } from "./filters";

/** Reasons whose sentences hold values of one text, and say nothing of many. */
const OF_ONE_TEXT = new Set(["account.expired", "words.too_long", "words.blocked"]);

export function useGroupNames() {
  const { t, te } = useI18n();
  const { reason } = useReasons();

  /** Why texts of the key `failed:0x45`, `refused:blacklist:listed` … did not arrive. */
  function why(key: string): string {
    const [state, first = "", second = ""] = key.split(":");
    const word = t(`texts.text_state.${state}`);
    if (state === "failed" || state === "expired") return first ? `${word} · ${t("text_reports.code", { code: first })}` : word;
    return first ? `${word} · ${brief(first, second)}` : word;
  }

  function brief(check: string, rule: string): string {
    const named = te(`texts.check.${check}`) ? t(`texts.check.${check}`) : check;
    return rule && te(`texts.refusal.${check}.${rule}`) && !OF_ONE_TEXT.has(`${check}.${rule}`) && check !== "caps" ? reason(check, rule) : named;
  }

  function name(by: Group, key: string, label: string): string {
    if (by === "day") return format.dateOnly(`${key}T12:00:00Z`);
    if (by === "hour") return `${key}:00–${key}:59`;
    if (by === "purpose") return t(`texts.purposes.${key}`);
    if (by === "source") return t(`texts.sources.${key}`);
    if (by === "kind") return t(`texts.kinds.${key}`);
    if (by === "reason") return why(key);
    if (label) return label;
    return key === "" ? t(`text_reports.none_of.${by}`) : t("text_reports.gone", { id: key });
  }

  return { name };
}
