/** The live documents of agents, as the server publishes them (callcenter/acd/views.py). Times in epoch seconds. */

export type AgentState = "offline" | "available" | "ringing" | "on_call" | "wrap_up" | "paused";
export type CallState = "preview" | "offered" | "dialing" | "ringing" | "talking" | "consulting" | "held" | "far_hold" | "ended";

/** What the pop shows at once, from the hopper. */
export interface Card {
  name?: string;
  phone?: string;
  fields?: Record<string, unknown>;
  lead_id?: number | null;
  customer_id?: number | null;
  list?: string;
  campaign?: string;
  script_id?: number | null;
  attempts?: number;
  vip?: boolean;
}

/** Somebody else in the call. */
export interface PartyView {
  key: string;
  role: "talk" | "consult" | "listen" | "whisper";
  state: "ringing" | "talking";
  since: number;
  user_id: number | null;
  name: string;
  number: string;
}

/** One of several customers with the caller's number. */
export interface Match {
  customer_id: number | null;
  lead_id?: number | null;
  name: string;
  company?: string;
  owner_name?: string;
}

export interface CallView {
  call_id: string;
  state: CallState;
  direction: string;
  mode: string;
  phone_e164: string;
  since: number;
  started_at: number;
  connected_at: number | null;
  ended_at: number | null;
  campaign_id: number | null;
  campaign_name: string;
  lead_id: number | null;
  customer_id: number | null;
  card: Card;
  recording: boolean;
  cause: string;
  dispositioned: boolean;
  preview_until: number | null;
  answer_until: number | null;
  auto_answer: boolean;
  did: string;
  queue_id: number | null;
  queue_name: string;
  queued_at: number | null;
  path: string[];
  shown: Record<string, string>;
  matches: Match[];
  parties: PartyView[];
  /** What the record button does: "", start, pause, resume. */
  can_record: "" | "start" | "pause" | "resume";
  /** What became of a third party. */
  notice: { code?: string; name?: string; number?: string; at?: number; why?: string };
}

export interface PhoneView {
  state: "off" | "connecting" | "connected" | "interrupted";
  since: number;
  loss: number | null;
  jitter_ms: number | null;
  round_trip_ms: number | null;
  mos: number | null;
}

/** A caller who waits for this agent in person. */
export interface OwnCaller {
  call_id: string;
  name: string;
  phone_e164: string;
  since: number;
}

export interface AgentView {
  user_id: number;
  name: string;
  seq: number;
  state: AgentState;
  since: number;
  reason: string;
  pause_after: boolean;
  wrap_up_until: number | null;
  phone: PhoneView;
  call: CallView | null;
  campaigns: number[];
  queues: number[];
  device: "browser" | "number";
  supervising: { agent_id?: number; how?: string; call_id?: string };
  callers?: OwnCaller[]; // not in a document that was written before the engine knew of them
  next_call_s: number | null;
}

export const PAUSE_REASONS = ["break", "meal", "meeting", "training", "technical", "other"] as const;
/** States in which a call takes the line. */
export const LINE_TAKEN: readonly CallState[] = ["dialing", "ringing", "talking", "consulting", "held", "far_hold"];
/** States of a call in which a conversation goes on, whoever hears whom. */
export const IN_TALK: readonly CallState[] = ["talking", "consulting", "held", "far_hold"];
/** States of an agent in which a call, or its wrap-up, goes on. */
export const WITH_A_CALL: readonly AgentState[] = ["ringing", "on_call", "wrap_up"];
