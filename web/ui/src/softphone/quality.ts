/**
 * How good the audio is, from what the browser counts. Pure.
 * Source: ITU-T G.107 (E-model), G.113 appendix I (G.711 with packet loss concealment: Ie 0, Bpl 25.1).
 */

export type QualityWord = "good" | "fair" | "poor";

/** One report. Loss as fractions of the last interval (0.01 = 1 %), times in milliseconds, null while not known. */
export interface Quality {
  readonly lossIn: number;
  readonly lossOut: number | null;
  readonly jitterMs: number;
  readonly roundTripMs: number | null;
  readonly bufferMs: number;
  /** Mean opinion score of what the agent hears, 1–4.4. */
  readonly mos: number;
  readonly word: QualityWord;
}

/** Counters of a connection at one moment, cumulative as WebRTC gives them; seconds where it gives seconds. */
export interface Counters {
  readonly received: number;
  readonly lost: number;
  readonly jitterS: number;
  readonly roundTripS: number | null;
  readonly lossOut: number | null;
  readonly bufferDelayS: number;
  readonly bufferEmitted: number;
}

/** Mean opinion score for random loss (fraction) and mouth-to-ear delay (ms). */
export function meanOpinion(loss: number, delayMs: number): number {
  const late = Math.max(0, delayMs - 177.3);
  const impairmentDelay = 0.024 * delayMs + 0.11 * late;
  const percent = loss * 100;
  const impairmentLoss = (95 * percent) / (percent + 25.1);
  const r = Math.min(100, Math.max(0, 93.2 - impairmentDelay - impairmentLoss));
  return Math.min(4.5, Math.max(1, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6));
}

/** G.107 annex B: from 4.0 users are satisfied, from 3.6 some are not, below many are not. */
export function word(mos: number): QualityWord {
  return mos >= 4 ? "good" : mos >= 3.6 ? "fair" : "poor";
}

/** The report for the time between two counts. */
export function quality(before: Counters | null, now: Counters): Quality {
  const received = now.received - (before?.received ?? 0);
  const lost = Math.max(0, now.lost - (before?.lost ?? 0));
  const lossIn = received + lost > 0 ? lost / (received + lost) : 0;
  const emitted = now.bufferEmitted - (before?.bufferEmitted ?? 0);
  const bufferMs = emitted > 0 ? ((now.bufferDelayS - (before?.bufferDelayS ?? 0)) / emitted) * 1000 : 0;
  const roundTripMs = now.roundTripS === null ? null : now.roundTripS * 1000;
  const mos = meanOpinion(Math.max(lossIn, now.lossOut ?? 0), (roundTripMs ?? 0) / 2 + bufferMs + 20);
  return {
    lossIn,
    lossOut: now.lossOut,
    jitterMs: now.jitterS * 1000,
    roundTripMs,
    bufferMs,
    mos: Math.round(mos * 100) / 100,
    word: word(mos),
  };
}

function numberOf(entry: Record<string, unknown>, name: string): number | null {
  const value = entry[name];
  return typeof value === "number" ? value : null;
}

/** The counters in what RTCPeerConnection.getStats() gave. */
export function countersOf(report: Iterable<Record<string, unknown>>): Counters {
  let inbound: Record<string, unknown> = {};
  let remote: Record<string, unknown> = {};
  let pair: Record<string, unknown> = {};
  for (const entry of report) {
    if (entry["type"] === "inbound-rtp") inbound = entry;
    else if (entry["type"] === "remote-inbound-rtp") remote = entry;
    else if (entry["type"] === "candidate-pair" && entry["nominated"] === true) pair = entry;
  }
  return {
    received: numberOf(inbound, "packetsReceived") ?? 0,
    lost: numberOf(inbound, "packetsLost") ?? 0,
    jitterS: numberOf(inbound, "jitter") ?? 0,
    roundTripS: numberOf(remote, "roundTripTime") ?? numberOf(pair, "currentRoundTripTime"),
    lossOut: numberOf(remote, "fractionLost"),
    bufferDelayS: numberOf(inbound, "jitterBufferDelay") ?? 0,
    bufferEmitted: numberOf(inbound, "jitterBufferEmittedCount") ?? 0,
  };
}
