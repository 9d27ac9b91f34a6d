/** Hours of a day and of a week, as a calendar has them. */
import { currentLocale } from "@/i18n";
import type { Schemas } from "@/api/client";

export type Span = Schemas["CalendarSpan"];
const MONDAY = Date.UTC(2024, 0, 1);

/** The name of a day; 0 is Monday. */
export function dayName(day: number, style: "short" | "long" = "short"): string {
  return new Intl.DateTimeFormat(currentLocale(), { weekday: style, timeZone: "UTC" }).format(new Date(MONDAY + day * 86_400_000));
}

export function minutes(text: string): number {
  const [h, m] = text.split(":").map(Number);
  return (h || 0) * 60 + (m || 0);
}

/** "09:00–12:00, 13:00–18:00" for days that have the same hours, with the days before it. */
export function weekText(week: readonly (readonly Span[])[]): { days: string; hours: string }[] {
  const texts = week.map((day) => day.map((s) => `${s.from}–${s.to}`).join(", "));
  const runs: { first: number; last: number; hours: string }[] = [];
  texts.forEach((hours, day) => {
    const before = runs[runs.length - 1];
    if (before && before.hours === hours) before.last = day;
    else runs.push({ first: day, last: day, hours });
  });
  return runs.filter((r) => r.hours !== "").map((r) => ({ days: r.first === r.last ? dayName(r.first) : `${dayName(r.first)}–${dayName(r.last)}`, hours: r.hours }));
}

/** The next hours that may be added to a day: after the last ones, or a morning. */
export function nextSpan(day: readonly Span[]): Span | null {
  const last = day[day.length - 1];
  if (!last) return { from: "09:00", to: "18:00" };
  const from = minutes(last.to) + 60;
  if (from > 1380) return null;
  const text = (m: number): string => `${String(Math.floor(m / 60)).padStart(2, "0")}:${String(m % 60).padStart(2, "0")}`;
  return { from: text(from), to: text(Math.min(1440, from + 240)) };
}
