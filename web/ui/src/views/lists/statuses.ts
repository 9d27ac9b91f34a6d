/** The statuses of leads, in the order of their life. `closed`: not dialed any more. */
export const STATUSES = [
  { key: "finished", colour: "var(--state-available)", closed: true },
  { key: "dead", colour: "var(--state-offline)", closed: true },
  { key: "blocked", colour: "var(--state-trouble)", closed: true },
  { key: "callback", colour: "var(--state-wrap-up)", closed: false },
  { key: "retry", colour: "var(--state-paused)", closed: false },
  { key: "in_progress", colour: "var(--state-hold)", closed: false },
  { key: "new", colour: "var(--line)", closed: false },
] as const;

export const COUNTRIES = ["CN", "HK", "TW", "US", "CA", "GB", "AU", "SG", "MY", "JP", "KR", "TH", "VN", "ID", "PH", "IN", "DE", "FR", "ES", "IT", "NL", "BR", "MX", "AE", "ZA"] as const;

/** The country's name in the user's language. */
export function countryName(code: string, locale: string): string {
  return `${new Intl.DisplayNames([locale], { type: "region" }).of(code) ?? code} (${code})`;
}
