/**
 * The agent's phone: microphone to the edge, the edge to the speaker, kept alive by itself.
 *
 * Framework-free. The transport is injected: it carries the offer to the server (`POST /api/phone/offer`). State:
 *
 *   off ─start→ connecting ─→ ready ⇄ interrupted      stop → off, from anywhere
 *                   └──── failed ────┘                  (failed goes on trying, slowly)
 *
 * A connection that is lost is offered anew under growing pauses; the former one stays until the new one stands, so
 * whichever comes back first carries the call. Audio that flowed and stops for two seconds is taken for a loss too:
 * the browser itself needs five to eight seconds to notice that the far side is gone.
 */

import { Connection } from "./connection";
import type { OfferTransport } from "./connection";
import { listDevices, openMicrophone } from "./devices";
import type { AudioDevices } from "./devices";
import { Emitter } from "./emitter";
import { PhoneError, microphoneError } from "./errors";
import { Flow } from "./flow";
import { Meter } from "./meter";
import { countersOf, quality } from "./quality";
import type { Counters, Quality } from "./quality";
import { Speaker } from "./speaker";

export type PhoneState = "off" | "connecting" | "ready" | "interrupted" | "failed";

export interface PhoneEvents {
  state: { readonly state: PhoneState; readonly error: PhoneError | null };
  /** Ten times a second while on: levels 0–1. */
  level: { readonly microphone: number; readonly remote: number };
  /** Every two seconds while ready. */
  stats: Quality;
  mute: boolean;
  devices: AudioDevices;
  /** Something the user should know that does not change the state (speaker gone, playback blocked). */
  warning: PhoneError;
}

export interface PhoneOptions {
  readonly transport: OfferTransport;
  readonly microphoneId?: string;
  readonly speakerId?: string;
  readonly iceServers?: RTCIceServer[];
  /** Of the microphone; echo cancellation, noise suppression and gain control are on by default. */
  readonly processing?: MediaTrackConstraints;
}

const PROCESSING: MediaTrackConstraints = {
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: true,
  channelCount: 1,
};
const BACK_OFF_MS = [100, 400, 800, 1600, 3000, 5000];
const LOST_AFTER_TRIES = 8;
const LEVEL_EVERY_MS = 100;
const POLL_EVERY_MS = 1000;
const STATS_EVERY_POLLS = 2;

/** The pause before try `attempt` (0, 1, …), with a jitter of a fifth so that a whole floor does not offer at once. */
export function pauseMs(attempt: number, random: number): number {
  const base = BACK_OFF_MS[Math.min(attempt, BACK_OFF_MS.length - 1)] ?? 5000;
  return Math.round(base * (0.8 + 0.4 * random));
}

export class Softphone {
  private readonly options: PhoneOptions;
  private readonly events = new Emitter<PhoneEvents>();
  private readonly processing: MediaTrackConstraints;
  private current: PhoneState = "off";
  private microphoneId: string;
  private speakerId: string;
  private isMuted = false;
  private microphone: MediaStream | null = null;
  private connection: Connection | null = null;
  private pending: Connection | null = null;
  private speaker: Speaker | null = null;
  private context: AudioContext | null = null;
  private microphoneMeter: Meter | null = null;
  private remoteMeter: Meter | null = null;
  private before: Counters | null = null;
  private polls = 0;
  private flow = new Flow();
  private tries = 0;
  /** Counts starts and stops; an await that returns under another number has been overtaken. */
  private run = 0;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private levelTimer: ReturnType<typeof setInterval> | undefined;
  private statsTimer: ReturnType<typeof setInterval> | undefined;

  constructor(options: PhoneOptions) {
    this.options = options;
    this.microphoneId = options.microphoneId ?? "";
    this.speakerId = options.speakerId ?? "";
    this.processing = { ...PROCESSING, ...options.processing };
  }

  on<Name extends keyof PhoneEvents>(name: Name, listener: (value: PhoneEvents[Name]) => void): () => void {
    return this.events.on(name, listener);
  }

  get state(): PhoneState {
    return this.current;
  }

  get muted(): boolean {
    return this.isMuted;
  }

  /** What the far side says, for those who want to look at it. */
  get remoteStream(): MediaStream | null {
    return this.connection?.remote ?? null;
  }

  /** Open the microphone and connect. Resolves when ready; rejects with PhoneError if the microphone cannot be had or
   * the first try failed for good (further tries go on by themselves after offer_failed and connection_failed). */
  async start(): Promise<void> {
    if (this.current !== "off" && this.current !== "failed") return;
    this.leave();
    const run = ++this.run;
    this.enter("connecting", null);
    try {
      await this.openMicrophone(run);
    } catch (error) {
      if (run !== this.run) return;
      const told = error instanceof PhoneError ? error : microphoneError(error);
      this.leave();
      this.enter("failed", told);
      throw told;
    }
    if (run !== this.run) return;
    this.prepareOutput();
    window.addEventListener("online", this.networkChanged);
    navigator.mediaDevices.addEventListener("devicechange", this.devicesChanged);
    this.levelTimer = setInterval(this.measure, LEVEL_EVERY_MS);
    this.statsTimer = setInterval(() => void this.poll(), POLL_EVERY_MS);
    void this.refreshDevices();
    const error = await this.attempt(run);
    if (error !== null && run === this.run) throw error;
  }

  /** Hang the phone up and release the microphone. */
  stop(): void {
    this.run++;
    this.leave();
    this.enter("off", null);
  }

  /** Offer anew at once; for when the server tells that it lost the session. The present connection stays meanwhile. */
  reoffer(): void {
    if (this.current === "off" || this.microphone === null) return;
    this.tries = 0;
    this.schedule(0);
  }

  mute(muted: boolean): void {
    this.isMuted = muted;
    for (const track of this.microphone?.getAudioTracks() ?? []) track.enabled = !muted;
    this.events.emit("mute", muted);
  }

  /** Speak into another microphone from now on; "" is the system's choice. Throws PhoneError. */
  async setMicrophone(deviceId: string): Promise<void> {
    this.microphoneId = deviceId;
    if (this.microphone === null) return;
    const run = this.run;
    try {
      await this.openMicrophone(run);
    } catch (error) {
      throw error instanceof PhoneError ? error : microphoneError(error);
    }
  }

  /** Hear through another speaker; "" is the system's choice. Throws PhoneError if it is gone. */
  async setSpeaker(deviceId: string): Promise<void> {
    this.speakerId = deviceId;
    await this.speaker?.choose(deviceId);
  }

  private async openMicrophone(run: number): Promise<void> {
    if (!("mediaDevices" in navigator) || typeof RTCPeerConnection === "undefined") {
      throw new PhoneError("unsupported", "no WebRTC here, or the page is not secure");
    }
    const stream = await openMicrophone(this.microphoneId, this.processing);
    const track = stream.getAudioTracks()[0];
    if (run !== this.run || track === undefined) {
      stream.getTracks().forEach((t) => t.stop());
      if (track === undefined) throw new PhoneError("microphone_missing", "the microphone gives no audio");
      return;
    }
    track.enabled = !this.isMuted;
    track.addEventListener("ended", () => this.microphoneEnded(stream));
    const former = this.microphone;
    this.microphone = stream;
    await Promise.all([this.connection, this.pending].map((c) => c?.replaceTrack(track)));
    former?.getTracks().forEach((t) => t.stop());
    this.microphoneMeter?.follow(stream);
  }

  private microphoneEnded(stream: MediaStream): void {
    if (stream !== this.microphone || this.current === "off") return;
    this.openMicrophone(this.run).catch((error: unknown) => {
      const told = error instanceof PhoneError ? error : microphoneError(error);
      this.events.emit("warning", told);
    });
  }

  private prepareOutput(): void {
    this.context = new AudioContext();
    void this.context.resume().catch(() => undefined);
    this.microphoneMeter = new Meter(this.context);
    this.remoteMeter = new Meter(this.context);
    this.microphoneMeter.follow(this.microphone);
    document.addEventListener("click", this.wake);
    this.speaker = new Speaker(this.speakerId, (error) => this.events.emit("warning", error));
  }

  /** A browser that held WebAudio back lets it go at the first click. */
  private readonly wake = (): void => {
    void this.context?.resume().catch(() => undefined);
  };

  /** One try to connect. Returns what went wrong, having arranged for the next try, or null. */
  private async attempt(run: number): Promise<PhoneError | null> {
    const track = this.microphone?.getAudioTracks()[0];
    if (track === undefined) return new PhoneError("microphone_missing", "the microphone is gone");
    let connection: Connection | null = null;
    try {
      connection = new Connection(track, this.options.iceServers ?? []);
      this.pending?.close();
      this.pending = connection;
      await connection.establish(this.options.transport);
    } catch (error) {
      connection?.close();
      const overtaken = run !== this.run || (connection !== null && connection !== this.pending);
      if (connection !== null && connection === this.pending) this.pending = null;
      const told = error instanceof PhoneError ? error : new PhoneError("connection_failed", String(error));
      if (!overtaken) this.failed(told);
      return told;
    }
    if (run !== this.run || connection !== this.pending) {
      connection.close();
      return null;
    }
    this.use(connection);
    return null;
  }

  private use(connection: Connection): void {
    this.pending = null;
    this.connection?.close();
    this.connection = connection;
    this.tries = 0;
    this.before = null;
    this.flow = new Flow();
    clearTimeout(this.retryTimer);
    connection.peer.addEventListener("connectionstatechange", () => this.connectionChanged(connection));
    this.speaker?.follow(connection.remote);
    this.remoteMeter?.follow(connection.remote);
    this.enter("ready", null);
  }

  private connectionChanged(connection: Connection): void {
    if (connection !== this.connection || this.current === "off") return;
    if (connection.connected) {
      // The network came back before a new connection stood: go on with this one.
      clearTimeout(this.retryTimer);
      this.pending?.close();
      this.pending = null;
      this.tries = 0;
      this.enter("ready", null);
      return;
    }
    this.enter("interrupted", null);
    if (this.pending === null) this.schedule(pauseMs(0, Math.random()));
  }

  private failed(error: PhoneError): void {
    this.tries++;
    if (this.connection?.connected === true) {
      this.tries = 0; // the former connection still carries: nothing is lost
      return;
    }
    if (this.tries >= LOST_AFTER_TRIES) this.enter("failed", error);
    this.schedule(pauseMs(this.tries, Math.random()));
  }

  private schedule(delayMs: number): void {
    clearTimeout(this.retryTimer);
    const run = this.run;
    this.retryTimer = setTimeout(() => {
      if (run === this.run) void this.attempt(run);
    }, delayMs);
  }

  private readonly networkChanged = (): void => this.reoffer();

  private readonly devicesChanged = (): void => void this.refreshDevices();

  private async refreshDevices(): Promise<void> {
    try {
      this.events.emit("devices", await listDevices());
    } catch {
      // Enumeration is a convenience; the phone works without it.
    }
  }

  private readonly measure = (): void => {
    this.events.emit("level", {
      microphone: this.isMuted ? 0 : (this.microphoneMeter?.level() ?? 0),
      remote: this.remoteMeter?.level() ?? 0,
    });
  };

  private async poll(): Promise<void> {
    const connection = this.connection;
    if (connection === null || this.current !== "ready") return;
    const now = countersOf(await connection.stats());
    if (connection !== this.connection) return;
    if (this.flow.stalled(now.received) && this.pending === null) this.schedule(0);
    if (++this.polls % STATS_EVERY_POLLS === 0) {
      this.events.emit("stats", quality(this.before, now));
      this.before = now;
    }
  }

  private enter(state: PhoneState, error: PhoneError | null): void {
    if (state === this.current && error === null) return;
    this.current = state;
    this.events.emit("state", { state, error });
  }

  /** Give everything back: connection, microphone, element, timers. */
  private leave(): void {
    clearTimeout(this.retryTimer);
    clearInterval(this.levelTimer);
    clearInterval(this.statsTimer);
    window.removeEventListener("online", this.networkChanged);
    if ("mediaDevices" in navigator) {
      navigator.mediaDevices.removeEventListener("devicechange", this.devicesChanged);
    }
    document.removeEventListener("click", this.wake);
    this.pending?.close();
    this.connection?.close();
    this.microphone?.getTracks().forEach((t) => t.stop());
    this.speaker?.close();
    void this.context?.close().catch(() => undefined);
    this.pending = this.connection = this.microphone = this.speaker = this.context = null;
    this.microphoneMeter = this.remoteMeter = this.before = null;
    this.tries = 0;
  }
}
