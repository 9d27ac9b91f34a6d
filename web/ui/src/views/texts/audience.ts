/** Whom a send was for, in words. */
import { useI18n } from "vue-i18n";
import type { Schemas } from "@/api/client";
import { format } from "@/kit";

export function useAudienceWords() {
  const { t } = useI18n();
  const many = (key: string, n: number): string => t(`texts.aud.${key}`, { n: format.integer(n) }, n);

  function words(a: Schemas["AudienceShown"]): string {
    const parts = [
      a.occasion ? t(`texts.recurring.occasions.${a.occasion}`) : "",
      ...a.groups, ...a.lists,
      a.customers ? [t("texts.aud.customers"), ...filterWords(a.customers)].join(" ") : "",
      a.file_name,
      a.contacts > 0 ? many("contacts", a.contacts) : "",
      a.people > 0 ? many("people", a.people) : "",
      a.numbers > 0 ? many("numbers", a.numbers) : "",
    ];
    return parts.filter(Boolean).join(", ");
  }

  function filterWords(c: Schemas["AudienceCustomers"]): string[] {
    return [c.search ? `“${c.search}”` : "", ...(c.tags ?? []), ...(c.grade ?? []), c.region ?? "", c.vip ? t("customers.vip") : ""].filter((x): x is string => x !== "");
  }

  return words;
}
