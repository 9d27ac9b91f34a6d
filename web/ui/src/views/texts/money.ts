/** Amounts in minor units of a currency, as people read them. */
import { currentLocale } from "@/i18n";

/** 12340, "CNY" → ¥123.40. `signed` writes the plus too. */
export function money(minor: number, currency: string, signed = false): string {
  const digits = new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits ?? 2;
  const shown = new Intl.NumberFormat(currentLocale(), { style: "currency", currency, currencyDisplay: "narrowSymbol", signDisplay: signed ? "exceptZero" : "auto" });
  return shown.format(minor / 10 ** digits);
}
