/** The one sentence that tells what limits the dialing now. */
import { i18n } from "@/i18n";
import { format } from "@/kit";

/** Times in `params` (next) are epoch seconds; numbers are counts. A code that is not known here says so. */
export function limitSentence(code: string, params: Record<string, unknown>): string {
  const key = `limit.${code}`;
  const { t, te } = i18n.global;
  if (!te(key)) return t("limit.unknown", { code });
  const shown = Object.fromEntries(
    Object.entries(params).map(([name, value]) => {
      if (name === "next" && typeof value === "number") return [name, format.dateTime(value)];
      if (name === "limit" && typeof value === "string") return [name, te(`limit.why.${value}`) ? t(`limit.why.${value}`) : ""];
      return [name, value ?? ""];
    }),
  );
  if ((code === "outside_hours" || code === "waiting_retry") && typeof params.next !== "number") return t(`limit.${code}_open`);
  if (code.startsWith("trunk_") && !params.trunk) return t(`limit.${code}_any`);
  if (code === "dialing" && !shown.limit) return t("limit.dialing_free", shown);
  return t(key, shown);
}
