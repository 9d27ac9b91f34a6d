/** A queue as its form edits it: shares and caps in per cent, long times in minutes, hours and days. */
import { inject, type InjectionKey } from "vue";
import type { Schemas } from "@/api/client";

export type Destination = Schemas["Destination"];
export const STRATEGIES = ["longest_idle", "fewest_calls", "round_robin", "skill_best", "sticky", "percentage"] as const;
export const OVERFLOW_TO = ["queue", "menu", "agent", "voicemail", "number", "hang_up"] as const;

export interface Member {
  user_id: number;
  share: number;
  penalty: number;
}

export interface Need {
  skill_id: number | null;
  level: number;
  relax_every_s: number;
  at_least: number;
}

export interface QueueForm {
  name: string;
  enabled: boolean;
  strategy: (typeof STRATEGIES)[number];
  priority: number;
  ageing_per_min: number;
  ring_s: number;
  auto_answer: boolean;
  wrap_up_s: number;
  disposition_required: boolean;
  sticky_s: number; // days in the form
  service_level_s: number;
  service_level: number; // per cent in the form
  utilisation_cap: number; // per cent in the form
  record: "always" | "on_demand" | "never";
  max_wait_s: number; // minutes in the form
  language: "en" | "zh";
  voicemail_greeting: string;
  script_id: number | null;
  waiting: { greeting: string; music: string; announce_every_s: number; announce_position: boolean; announce_wait: boolean; comfort: string[]; comfort_every_s: number };
  callback: { enabled: boolean; after_s: number; key: string; expires_s: number; tries: number }; // expires in hours
  overflow: { after_wait_s: number; after_wait: Destination | null; over_length: number; length: Destination | null; no_agents: Destination | null };
  blending: { enabled: boolean; wait_s: number; reserve: number; release_s: number };
  members: Member[];
  skills: Need[];
}

export const DAY_S = 86_400;
/** The server's values are the form's times this. */
const UNITS = { sticky_s: DAY_S, max_wait_s: 60, service_level: 0.01, utilisation_cap: 0.01 } as const;

export function blank(language: "en" | "zh"): QueueForm {
  return {
    name: "", enabled: true, strategy: "longest_idle", priority: 0, ageing_per_min: 1, ring_s: 15, auto_answer: false, wrap_up_s: 30,
    disposition_required: false, sticky_s: 7, service_level_s: 20, service_level: 80, utilisation_cap: 100, record: "always", max_wait_s: 60, language,
    voicemail_greeting: "", script_id: null,
    waiting: { greeting: "", music: "hold_music", announce_every_s: 45, announce_position: true, announce_wait: true, comfort: [], comfort_every_s: 60 },
    callback: { enabled: false, after_s: 60, key: "1", expires_s: 4, tries: 2 },
    overflow: { after_wait_s: 0, after_wait: null, over_length: 0, length: null, no_agents: null },
    blending: { enabled: false, wait_s: 10, reserve: 0, release_s: 60 },
    members: [],
    skills: [],
  };
}

export function fromServer(row: Schemas["QueueDetail"]): QueueForm {
  const own = Object.fromEntries(Object.keys(blank("en")).map((k) => [k, row[k as keyof typeof row]])) as unknown as QueueForm;
  for (const [key, unit] of Object.entries(UNITS)) own[key as keyof typeof UNITS] = tidy(own[key as keyof typeof UNITS] / unit);
  own.callback = { ...own.callback, expires_s: tidy(own.callback.expires_s / 3600) };
  own.skills = own.skills.map(({ skill_id, level, relax_every_s, at_least }) => ({ skill_id, level, relax_every_s, at_least }));
  return own;
}

export function toServer(values: QueueForm): Schemas["QueueChanges"] & { name: string } {
  const out = JSON.parse(JSON.stringify(values)) as QueueForm;
  for (const [key, unit] of Object.entries(UNITS)) out[key as keyof typeof UNITS] = tidy(out[key as keyof typeof UNITS] * unit);
  out.callback.expires_s *= 3600;
  out.waiting.comfort = out.waiting.comfort.filter((prompt) => prompt !== "");
  out.skills = out.skills.filter((need) => need.skill_id !== null);
  // A limit without a place to go to, or the other way round, is none.
  if (out.overflow.after_wait_s <= 0) out.overflow.after_wait = null;
  if (out.overflow.over_length <= 0) out.overflow.length = null;
  return out as unknown as Schemas["QueueChanges"] & { name: string };
}

function tidy(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}

/** What the tabs share with their panel. */
export interface Shared {
  values: QueueForm;
  errors: Record<string, string>;
  readonly: boolean;
  options: Schemas["QueueOptions"];
}

export const SHARED: InjectionKey<Shared> = Symbol("queue form");

export function useShared(): Shared {
  const shared = inject(SHARED);
  if (!shared) throw new Error("a tab of a queue stands in its panel");
  return shared;
}
