/** What stands on a board, and how its figures are read from the live documents (callcenter/metrics/figures.py). */
import type { AgentView } from "@/views/desk/types";

export interface Tile {
  id: string;
  kind: "figure" | "queue" | "agents" | "campaign" | "trunks" | "waiting";
  subject: string;
  subject_id: number | null;
  metric: string;
  width: number;
  height: number;
  warn: number | null;
  bad: number | null;
  above: boolean;
  for_s: number;
  sound: boolean;
  notice: boolean;
  webhook: boolean;
}

export interface BoardPart {
  title: string;
  tiles: Tile[];
}

export interface Board {
  id: number;
  name: string;
  owner_id: number | null;
  shared: boolean;
  pages: BoardPart[];
  rotate_s: number;
  webhook_url: string;
  webhook_secret: string;
}

/** What is shown of a board. */
export type Shown = Omit<Board, "id" | "owner_id" | "shared" | "webhook_url" | "webhook_secret">;

export type Doc = Record<string, unknown>;

export interface WaitingCaller {
  call_id: string;
  phone_e164: string;
  name: string;
  since: number;
  priority: number;
  offered_to: number | null;
  callback: boolean;
}

export interface QueueView extends Doc {
  id: number;
  name: string;
  at: number;
  waiting: WaitingCaller[];
  longest_wait_since: number | null;
  expected_wait_s: number | null;
  agents: number;
  available: number;
  talking: number;
  wrap_up: number;
  paused: number;
  offered: number;
  answered: number;
  answered_in_target: number;
  abandoned: number;
  overflowed: number;
  callbacks: number;
  service_level: number | null;
  target: number;
  target_s: number;
  asa_s: number | null;
  aht_s: number | null;
  blending: string;
}

/** The newest documents by kind. */
export interface Floor {
  agents: Record<string, AgentView>;
  queues: Record<string, QueueView>;
  campaigns: Record<string, Doc>;
  trunks: Doc | null;
  menus: Doc | null;
}

export type Unit = "count" | "time" | "share";
export type Level = "ok" | "warn" | "bad";

type Pick = (doc: Doc, now: number) => number | null;
const field = (name: string): Pick => (doc) => (typeof doc[name] === "number" ? doc[name] : null);
const since = (name: string): Pick => (doc, now) => (typeof doc[name] === "number" ? Math.max(0, now - doc[name]) : 0);
const today = (name: string): Pick => (doc) => (doc.today as Record<string, number> | undefined)?.[name] ?? null;
const people = (doc: Doc): AgentView[] => Object.values(doc) as AgentView[];
const inState = (...states: string[]): Pick => (doc) => people(doc).filter((a) => states.includes(a.state)).length;
const longest = (state: string): Pick => (doc, now) => Math.max(0, ...people(doc).filter((a) => a.state === state).map((a) => now - a.since));
const trunkRows = (doc: Doc): Record<string, number | boolean>[] => Object.values(doc) as Record<string, number | boolean>[];
const share = (part: number, whole: number): number | null => (whole > 0 ? part / whole : null);

/** Subject → metric → unit and reading. The server watches thresholds by the same names. */
export const FIGURES: Record<string, Record<string, { unit: Unit; pick: Pick }>> = {
  queue: {
    waiting: { unit: "count", pick: (doc) => ((doc.waiting as unknown[] | undefined) ?? []).length },
    longest_wait: { unit: "time", pick: since("longest_wait_since") },
    expected_wait: { unit: "time", pick: field("expected_wait_s") },
    service_level: { unit: "share", pick: field("service_level") },
    asa: { unit: "time", pick: field("asa_s") },
    aht: { unit: "time", pick: field("aht_s") },
    abandon_rate: { unit: "share", pick: (doc) => share(Number(doc.abandoned ?? 0), Number(doc.answered ?? 0) + Number(doc.abandoned ?? 0)) },
    offered: { unit: "count", pick: field("offered") },
    answered: { unit: "count", pick: field("answered") },
    abandoned: { unit: "count", pick: field("abandoned") },
    overflowed: { unit: "count", pick: field("overflowed") },
    callbacks: { unit: "count", pick: field("callbacks") },
    agents: { unit: "count", pick: field("agents") },
    available: { unit: "count", pick: field("available") },
    talking: { unit: "count", pick: field("talking") },
  },
  campaign: {
    ringing: { unit: "count", pick: field("ringing") },
    waiting: { unit: "count", pick: field("waiting") },
    talking: { unit: "count", pick: field("talking") },
    hopper: { unit: "count", pick: field("hopper") },
    placed: { unit: "count", pick: today("placed") },
    answered: { unit: "count", pick: today("answered") },
    connected: { unit: "count", pick: today("connected") },
    abandoned: { unit: "count", pick: today("abandoned") },
    abandoned_rate: { unit: "share", pick: today("abandoned_rate") },
  },
  agents: {
    signed_on: { unit: "count", pick: inState("available", "ringing", "on_call", "wrap_up", "paused") },
    available: { unit: "count", pick: inState("available") },
    on_call: { unit: "count", pick: inState("on_call") },
    wrap_up: { unit: "count", pick: inState("wrap_up") },
    paused: { unit: "count", pick: inState("paused") },
    occupancy: {
      unit: "share",
      pick: (doc, now) => share(inState("on_call", "wrap_up")(doc, now) ?? 0, inState("available", "ringing", "on_call", "wrap_up")(doc, now) ?? 0),
    },
    longest_call: { unit: "time", pick: longest("on_call") },
    longest_pause: { unit: "time", pick: longest("paused") },
  },
  trunks: {
    down: { unit: "count", pick: (doc) => trunkRows(doc).filter((r) => r.enabled !== false && r.up === false).length },
    in_use: { unit: "count", pick: (doc) => trunkRows(doc).reduce((sum, r) => sum + Number(r.in_use ?? 0), 0) },
  },
  menus: { callers: { unit: "count", pick: field("callers") } },
};

export const topicOf = (tile: Tile): string => (tile.subject_id === null ? tile.subject : `${tile.subject}:${tile.subject_id}`);

export function documentOf(tile: Tile, floor: Floor): Doc | null {
  if (tile.subject === "agents") return floor.agents as unknown as Doc;
  if (tile.subject === "queue") return floor.queues[topicOf(tile)] ?? null;
  if (tile.subject === "campaign") return floor.campaigns[topicOf(tile)] ?? null;
  return tile.subject === "trunks" ? floor.trunks : floor.menus;
}

export function levelOf(tile: Tile, value: number | null): Level {
  if (value === null) return "ok";
  const wrong = (limit: number | null): boolean => limit !== null && (tile.above ? value >= limit : value <= limit);
  return wrong(tile.bad) ? "bad" : wrong(tile.warn) ? "warn" : "ok";
}

let made = 0;
export function newTile(kind: Tile["kind"], values: Partial<Tile> = {}): Tile {
  made += 1;
  const id = `t${Date.now().toString(36)}${made}`;
  return { id, kind, subject: "", subject_id: null, metric: "", width: kind === "figure" ? 2 : 6, height: kind === "figure" ? 1 : 3, warn: null, bad: null, above: true, for_s: 5, sound: false, notice: false, webhook: false, ...values };
}

const counts = (): Tile[] => ["available", "on_call", "wrap_up", "paused", "occupancy", "longest_call"].map((metric) => newTile("figure", { subject: "agents", metric }));

/** What a floor without boards of its own shows: the agents, every queue and campaign. */
export function standardBoard(): Shown {
  const tables = [newTile("queue", { width: 8, height: 2 }), newTile("waiting", { width: 4, height: 2 }), newTile("agents", { width: 12, height: 3 }), newTile("campaign", { width: 8, height: 2 }), newTile("trunks", { width: 4, height: 2 })];
  return { name: "", rotate_s: 20, pages: [{ title: "", tiles: [...counts(), ...tables] }] };
}

/** The same on the wall, where a page must fit the screen. */
export function standardWall(): Shown {
  return {
    name: "",
    rotate_s: 20,
    pages: [
      { title: "", tiles: [...counts(), newTile("queue", { width: 8, height: 3 }), newTile("waiting", { width: 4, height: 3 })] },
      { title: "", tiles: [newTile("agents", { width: 12, height: 2 }), newTile("campaign", { width: 8, height: 2 }), newTile("trunks", { width: 4, height: 2 })] },
    ],
  };
}
