/** Wall-clock times of the enterprise's zone, which need not be the browser's. */

/** What the clock in `zone` shows at `at`, as "2026-03-10T09:30:00". */
export function wallOf(at: Date, zone: string): string {
  const parts = new Intl.DateTimeFormat("en-CA", {
    timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
  }).formatToParts(at);
  const of = (type: string): string => parts.find((p) => p.type === type)?.value ?? "00";
  return `${of("year")}-${of("month")}-${of("day")}T${of("hour")}:${of("minute")}:${of("second")}`;
}

/** The instant at which the clock in `zone` shows `wall`. In a gap or an overlap of summer time, one of the two. */
export function instantOf(wall: string, zone: string): Date {
  const asUtc = Date.parse(`${wall}Z`);
  let guess = asUtc;
  for (let i = 0; i < 2; i++) guess += asUtc - Date.parse(`${wallOf(new Date(guess), zone)}Z`);
  return new Date(guess);
}

/** Wall time `days` days after today at `hour` o'clock. */
export function wallAt(now: Date, zone: string, days: number, hour: number): string {
  const day = new Date(`${wallOf(now, zone).slice(0, 10)}T00:00:00Z`);
  day.setUTCDate(day.getUTCDate() + days);
  return `${day.toISOString().slice(0, 10)}T${String(hour).padStart(2, "0")}:00:00`;
}
