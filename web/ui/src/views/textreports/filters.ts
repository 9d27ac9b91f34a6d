/** Which texts a report is about: the same filters for figures, groups, texts and files, kept in the address. */
import { computed } from "vue";
import { api, type Schemas } from "@/api/client";
import { useFilters } from "@/kit";
import { useSession } from "@/stores/session";

export const GROUPS = ["day", "hour", "route", "user", "send", "campaign", "purpose", "source", "kind", "reason"] as const;
export type Group = (typeof GROUPS)[number];
const NONE = { from: "", to: "", kind: "", purpose: "", source: "", state: "", route: "", sender: "", send: "", campaign: "", customer: "", reason: "", hour: "" };
type Summary = Schemas["TextReportSummary"];

/** Today in the enterprise's zone, so many days before. */
export function day(before: number): string {
  const zone = useSession().me?.enterprise.time_zone ?? "UTC";
  const today = new Intl.DateTimeFormat("en-CA", { timeZone: zone }).format(new Date());
  const at = new Date(`${today}T00:00:00Z`);
  at.setUTCDate(at.getUTCDate() - before);
  return at.toISOString().slice(0, 10);
}

const id = (text: string): number | undefined => (text === "" ? undefined : Number(text));

export function useReportFilters() {
  const filters = useFilters({ ...NONE, by: "day" });
  const query = computed(() => ({
    from: filters.from || day(29),
    to: filters.to || day(0),
    kind: (filters.kind || undefined) as "sms" | "mms" | undefined,
    purpose: (filters.purpose || undefined) as "marketing" | undefined,
    source: (filters.source || undefined) as "page" | undefined,
    state: filters.state || undefined,
    route_id: id(filters.route),
    sender_id: id(filters.sender),
    send_id: id(filters.send),
    campaign_id: id(filters.campaign),
    customer_id: id(filters.customer),
    reason: filters.reason || undefined,
    hour: id(filters.hour),
  }));
  const dates = computed({
    get: (): [string, string] => [query.value.from, query.value.to],
    set: (value: [string, string] | null) => {
      filters.from = value?.[0] ?? "";
      filters.to = value?.[1] ?? "";
    },
  });

  /** Filters of the texts in one group, as an address's query. */
  function inGroup(by: Group, key: string): Record<string, string> {
    const kept = Object.fromEntries(Object.entries(filters).filter(([name, value]) => value !== "" && name !== "by"));
    const base = { ...kept, from: query.value.from, to: query.value.to };
    if (by === "day") return { ...base, from: key, to: key };
    const name = by === "user" ? "sender" : by;
    return { ...base, [name]: key === "" || by === "hour" ? String(Number(key)) : key };
  }

  const summary = () => api.get("/api/text-reports/summary", { query: query.value });
  const groups = (by: Group, page: { page: number; per_page: number }) => api.get("/api/text-reports/groups", { query: { ...query.value, ...page, by } });
  const texts = (page: { page: number; per_page: number }) => api.get("/api/text-reports/texts", { query: { ...query.value, ...page } });

  /** Address of a file of what is shown. */
  function file(by: Group | "texts", format: "csv" | "xlsx"): string {
    const given = Object.entries({ ...query.value, by, format }).filter(([, value]) => value !== undefined);
    return `/api/text-reports/export?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
  }

  return { filters, query, dates, inGroup, summary, groups, texts, file };
}

export type { Summary };
