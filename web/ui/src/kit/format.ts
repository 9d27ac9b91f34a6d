/** Times, durations, numbers and phone numbers as the user reads them. Times are shown in the enterprise's zone. */
import { currentLocale, i18n } from "@/i18n";
import { useSession } from "@/stores/session";

function zone(): string {
  return useSession().me?.enterprise.time_zone ?? "UTC";
}

function toDate(at: string | number | Date): Date {
  return typeof at === "number" ? new Date(at * 1000) : new Date(at);
}

/** `at`: ISO text, or seconds since the epoch. */
export function dateTime(at: string | number | Date, seconds = false): string {
  return new Intl.DateTimeFormat(currentLocale(), {
    timeZone: zone(),
    year: "numeric",
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: seconds ? "2-digit" : undefined,
    hourCycle: "h23",
  }).format(toDate(at));
}

export function dateOnly(at: string | number | Date): string {
  return new Intl.DateTimeFormat(currentLocale(), { timeZone: zone(), year: "numeric", month: "short", day: "numeric" }).format(toDate(at));
}

export function timeOnly(at: string | number | Date): string {
  return new Intl.DateTimeFormat(currentLocale(), { timeZone: zone(), hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(toDate(at));
}

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

/** `at` seen from `nowS` (seconds since the epoch): "3 minutes ago". */
export function relative(at: string | number | Date, nowS: number): string {
  const left = toDate(at).getTime() / 1000 - nowS;
  const words = new Intl.RelativeTimeFormat(currentLocale(), { numeric: "auto" });
  for (const [unit, size] of STEPS) if (Math.abs(left) >= size) return words.format(Math.trunc(left / size), unit);
  return i18n.global.t("kit.just_now");
}

/** Seconds as m:ss or h:mm:ss. */
export function duration(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  const two = (n: number) => String(n).padStart(2, "0");
  const h = Math.floor(s / 3600);
  const m = Math.floor(s / 60) % 60;
  return h > 0 ? `${h}:${two(m)}:${two(s % 60)}` : `${two(m)}:${two(s % 60)}`;
}

export function integer(value: number): string {
  return new Intl.NumberFormat(currentLocale(), { maximumFractionDigits: 0 }).format(value);
}

/** A fraction as per cent: 0.031 → 3.1 %. */
export function percent(fraction: number, digits = 1): string {
  return new Intl.NumberFormat(currentLocale(), { style: "percent", maximumFractionDigits: digits }).format(fraction);
}

/** E.164 in groups that can be read aloud; masked when the role does not show numbers in full. */
export function phone(e164: string, masked: boolean): string {
  if (e164.includes("•")) return e164; // the server has masked it
  const china = /^\+86(1\d{2})(\d{4})(\d{4})$/.exec(e164);
  if (china) return `+86 ${china[1]} ${masked ? "••••" : china[2]} ${china[3]}`;
  const us = /^\+1(\d{3})(\d{3})(\d{4})$/.exec(e164);
  if (us) return `+1 ${us[1]} ${masked ? "•••" : us[2]} ${us[3]}`;
  const landline = /^\+86(10|2\d|[3-9]\d{2})(\d{3,4})(\d{4})$/.exec(e164);
  if (landline) return `+86 ${landline[1]} ${masked ? "••••" : landline[2]} ${landline[3]}`;
  const body = masked && e164.length > 7 ? `${e164.slice(0, -7)}••••${e164.slice(-3)}` : e164;
  return body.replace(/^(\+?\d{2,3})(.{3,4})(.*)$/, "$1 $2 $3");
}
