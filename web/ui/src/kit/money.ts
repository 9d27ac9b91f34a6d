/** Amounts: integers in minor units of a currency, shown and typed as people write them. */
import { currentLocale } from "@/i18n";

function digitsOf(currency: string): number {
  return new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits ?? 2;
}

/** 12340, "CNY" → ¥123.40. `signed` writes the plus too. */
export function money(minor: number, currency: string, signed = false): string {
  return new Intl.NumberFormat(currentLocale(), {
    style: "currency",
    currency,
    currencyDisplay: "narrowSymbol",
    signDisplay: signed ? "exceptZero" : "auto",
  }).format(minor / 10 ** digitsOf(currency));
}

/** 12340, "CNY" → 123.40, to be changed in a field. */
export function moneyText(minor: number, currency: string): string {
  return (minor / 10 ** digitsOf(currency)).toFixed(digitsOf(currency));
}

/** "1,234.5", "CNY" → 123450; null if it is no amount, or has more decimals than the currency. Exact: no fractions of
 * binary numbers are taken. */
export function moneyMinor(text: string, currency: string): number | null {
  const digits = digitsOf(currency);
  const found = /^\s*(\d{1,3}(?:,\d{3})+|\d{1,12})(?:\.(\d+))?\s*$/.exec(text.normalize("NFKC"));
  const decimals = found?.[2] ?? "";
  if (!found?.[1] || decimals.length > digits) return null;
  return Number(found[1].replaceAll(",", "") + decimals.padEnd(digits, "0"));
}
