/** The live document of a campaign (dialer/views.py). Times in epoch seconds, rates as fractions. */

export interface CallRow {
  call_id: string;
  state: "dialing" | "ringing" | "waiting" | "talking";
  phone_e164: string;
  name: string;
  agent_id: number | null;
  agent_name: string;
  since: number;
}

export interface Minute {
  at: number;
  placed: number;
  answered: number;
  connected: number;
  abandoned: number;
  available: number;
  on_call: number;
  wrap_up: number;
  paused: number;
}

export interface Counts {
  placed: number;
  answered: number;
  connected: number;
  abandoned: number;
  abandoned_rate: number;
}

export interface AgentRow {
  user_id: number;
  name: string;
  state: string;
  since: number;
  /** Number of the present call. */
  call_phone?: string;
}

export interface CampaignView {
  campaign_id: number;
  seq: number;
  at: number;
  state: string;
  mode: string;
  ratio: number;
  abandon_cap: number;
  limit: string;
  limit_params: Record<string, unknown>;
  agents: Record<string, number>;
  ringing: number;
  waiting: number;
  talking: number;
  hopper: number;
  /** Without counts until the feeder has told them. */
  today: Partial<Counts>;
  days30: Partial<Counts>;
  left: Record<string, number>;
  minutes: Minute[];
  calls: CallRow[];
  agent_rows: AgentRow[];
  callbacks_due: number;
  next_window_at: number | null;
  waits: { p50?: number; p90?: number };
}

export const MODES = ["manual", "preview", "progressive", "power", "predictive"] as const;
export type Mode = (typeof MODES)[number];
/** Modes in which the dialer places calls on its own. */
export const DIALED: readonly string[] = ["progressive", "power", "predictive"];
export const LEAD_STATUSES = ["new", "retry", "callback", "in_progress", "finished", "dead", "blocked"] as const;
export const AGENT_STATES = ["available", "ringing", "on_call", "wrap_up", "paused", "offline"] as const;
