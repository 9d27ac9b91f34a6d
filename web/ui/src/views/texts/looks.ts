/** How states of sends and texts look: an icon, and the tone of `--text-<tone>`, `--soft-<tone>`, `--state-<tone>`. */
import { Ban, CalendarClock, Check, CheckCheck, CircleHelp, CircleX, Clock, Hourglass, LoaderCircle, Send, ShieldX, TimerOff } from "lucide-vue-next";
import type { Component } from "vue";

export interface Look {
  icon: Component;
  tone: string;
}

export const SEND_STATES = ["preparing", "approval", "sending", "done", "cancelled", "rejected"] as const;
export const TEXT_STATES = ["delivered", "submitted", "submitting", "queued", "approval", "doubtful", "refused", "failed", "expired", "cancelled"] as const;
export type TextState = (typeof TEXT_STATES)[number];
/** Texts in these states may still be stopped. */
export const STOPPABLE: readonly TextState[] = ["approval", "queued"];
export const PURPOSES = ["marketing", "service", "code"] as const;
export const KINDS = ["sms", "mms"] as const;

const NOTHING: Look = { icon: CircleHelp, tone: "offline" };
const SENDS: Record<string, Look> = {
  preparing: { icon: LoaderCircle, tone: "on-call" },
  scheduled: { icon: CalendarClock, tone: "hold" },
  approval: { icon: Hourglass, tone: "paused" },
  sending: { icon: Send, tone: "on-call" },
  done: { icon: CheckCheck, tone: "offline" }, // the bar says how it went
  cancelled: { icon: Ban, tone: "offline" },
  rejected: { icon: CircleX, tone: "trouble" },
};
const TEXTS: Record<string, Look> = {
  approval: { icon: Hourglass, tone: "paused" },
  queued: { icon: Clock, tone: "offline" },
  submitting: { icon: Send, tone: "on-call" },
  submitted: { icon: Check, tone: "hold" },
  doubtful: { icon: CircleHelp, tone: "ringing" },
  delivered: { icon: CheckCheck, tone: "available" },
  failed: { icon: CircleX, tone: "trouble" },
  expired: { icon: TimerOff, tone: "paused" },
  refused: { icon: ShieldX, tone: "wrap-up" },
  cancelled: { icon: Ban, tone: "offline" },
};

export const lookOfSend = (state: string): Look => SENDS[state] ?? NOTHING;
export const lookOfText = (state: string): Look => TEXTS[state] ?? NOTHING;
