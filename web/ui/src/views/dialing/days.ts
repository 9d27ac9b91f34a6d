/** Days of the week as people write them. 1 is Monday. */
import { currentLocale, i18n } from "@/i18n";

const MONDAY = Date.UTC(2024, 0, 1);

export function dayName(day: number): string {
  return new Intl.DateTimeFormat(currentLocale(), { weekday: "short", timeZone: "UTC" }).format(new Date(MONDAY + (day - 1) * 86_400_000));
}

/** [1,2,3,4,5] → "Mon–Fri", all seven → "Every day". */
export function daysText(days: readonly number[]): string {
  const sorted = [...days].sort((a, b) => a - b);
  if (sorted.length === 7) return i18n.global.t("rules.every_day");
  const runs: [number, number][] = [];
  for (const day of sorted) {
    const last = runs[runs.length - 1];
    if (last && last[1] === day - 1) last[1] = day;
    else runs.push([day, day]);
  }
  return runs.map(([a, b]) => (a === b ? dayName(a) : b === a + 1 ? `${dayName(a)}, ${dayName(b)}` : `${dayName(a)}–${dayName(b)}`)).join(", ");
}
