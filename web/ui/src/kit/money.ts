/** Amounts: integers in minor units of a currency, shown and typed as people write them. */
import { currentLocale } from "@/i18n";

// ISO 4217, as the server counts (smsgateway/purse/money.py): browsers have other ideas of some currencies.
const NO_DECIMALS = ["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"];
const THREE_DECIMALS = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

function digitsOf(currency: string): number {
  return NO_DECIMALS.includes(currency) ? 0 : THREE_DECIMALS.includes(currency) ? 3 : 2;
}

/** 12340, "CNY" → ¥123.40. `signed` writes the plus too. */
export function money(minor: number, currency: string, signed = false): string {
  const digits = digitsOf(currency);
  return new Intl.NumberFormat(currentLocale(), {
    style: "currency",
    currency,
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
    currencyDisplay: "narrowSymbol",
    signDisplay: signed ? "exceptZero" : "auto",
  }).format(minor / 10 ** digits);
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
