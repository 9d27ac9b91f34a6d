/** The phone's own sounds, made by WebAudio: no files to load, nothing to wait for. */

interface Tone {
  readonly hz: readonly number[];
  readonly fromS: number;
  readonly forS: number;
}

const RING_HZ = [440, 480];
const RING_EVERY_MS = 3000;
const FADE_S = 0.01;

/** Every sound starts at once and a new one replaces what plays. `volume` is 0–1. */
export class Sounds {
  volume: number;
  private context: AudioContext | null = null;
  private speakerId = "";
  private playing: OscillatorNode[] = [];
  private ringTimer: ReturnType<typeof setInterval> | undefined;

  constructor(volume = 0.2) {
    this.volume = volume;
  }

  /** Sound through this output from now on, where the browser lets a page choose; "" is the system's choice. */
  setSpeaker(deviceId: string): void {
    this.speakerId = deviceId;
    const context: (AudioContext & { setSinkId?: (id: string) => Promise<void> }) | null = this.context;
    // A device that is gone leaves the sound where it was: a ring on the wrong speaker is better than none.
    context?.setSinkId?.(deviceId).catch(() => undefined);
  }

  /** An incoming call: rings until `quiet`. */
  ring(): void {
    this.quiet();
    const once = (): void =>
      this.play([
        { hz: RING_HZ, fromS: 0, forS: 0.4 },
        { hz: RING_HZ, fromS: 0.6, forS: 0.4 },
      ]);
    once();
    this.ringTimer = setInterval(once, RING_EVERY_MS);
  }

  /** A customer is on the line: the short rising beep before the agent speaks. */
  connected(): void {
    this.quiet();
    this.play([
      { hz: [660], fromS: 0, forS: 0.08 },
      { hz: [880], fromS: 0.09, forS: 0.12 },
    ]);
  }

  /** A text came in: two soft, high notes. Not over a ring or a call's own sounds. */
  text(): void {
    if (this.playing.length > 0 || this.ringTimer !== undefined) return;
    this.play([
      { hz: [1046], fromS: 0, forS: 0.07 },
      { hz: [1318], fromS: 0.11, forS: 0.12 },
    ]);
  }

  /** The call is over: falling. */
  hungUp(): void {
    this.quiet();
    this.play([
      { hz: [480], fromS: 0, forS: 0.12 },
      { hz: [320], fromS: 0.14, forS: 0.2 },
    ]);
  }

  /** A figure on a board asks for attention: two even tones. */
  alarm(): void {
    this.quiet();
    this.play([
      { hz: [740], fromS: 0, forS: 0.25 },
      { hz: [740], fromS: 0.4, forS: 0.25 },
    ]);
  }

  /** Stop whatever sounds. */
  quiet(): void {
    clearInterval(this.ringTimer);
    for (const oscillator of this.playing) oscillator.stop();
    this.playing = [];
  }

  /** Stop and give the audio device back. */
  close(): void {
    this.quiet();
    void this.context?.close().catch(() => undefined);
    this.context = null;
  }

  private play(tones: readonly Tone[]): void {
    if (this.context === null) {
      this.context = new AudioContext();
      if (this.speakerId !== "") this.setSpeaker(this.speakerId);
    }
    const context = this.context;
    void context.resume().catch(() => undefined);
    const now = context.currentTime + 0.01;
    for (const tone of tones) {
      for (const hz of tone.hz) {
        const oscillator = context.createOscillator();
        const gain = context.createGain();
        const begin = now + tone.fromS;
        const end = begin + tone.forS;
        oscillator.frequency.value = hz;
        gain.gain.setValueAtTime(0, begin);
        gain.gain.linearRampToValueAtTime(this.volume / tone.hz.length, begin + FADE_S);
        gain.gain.setValueAtTime(this.volume / tone.hz.length, end - FADE_S);
        gain.gain.linearRampToValueAtTime(0, end);
        oscillator.connect(gain).connect(context.destination);
        oscillator.start(begin);
        oscillator.stop(end);
        oscillator.addEventListener("ended", () => {
          gain.disconnect();
          this.playing = this.playing.filter((o) => o !== oscillator);
        });
        this.playing.push(oscillator);
      }
    }
  }
}
