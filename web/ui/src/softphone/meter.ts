/** Loudness of a stream through WebAudio. */

const FLOOR_DB = -60;

/** RMS of samples (-1…1) as a meter shows it: 0 at -60 dB and below, 1 at full scale. */
export function levelOf(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const rms = Math.sqrt(sum / Math.max(1, samples.length));
  if (rms <= 0) return 0;
  return Math.min(1, Math.max(0, 1 - (20 * Math.log10(rms)) / FLOOR_DB));
}

/** Measures one stream at a time; `follow` moves it to another. */
export class Meter {
  private readonly context: AudioContext;
  private readonly analyser: AnalyserNode;
  private readonly samples: Float32Array<ArrayBuffer>;
  private source: MediaStreamAudioSourceNode | null = null;

  constructor(context: AudioContext) {
    this.context = context;
    this.analyser = context.createAnalyser();
    this.analyser.fftSize = 1024;
    this.samples = new Float32Array(this.analyser.fftSize);
  }

  follow(stream: MediaStream | null): void {
    this.source?.disconnect();
    this.source = null;
    if (stream !== null && stream.getAudioTracks().length > 0) {
      this.source = this.context.createMediaStreamSource(stream);
      this.source.connect(this.analyser);
    }
  }

  /** The level now, 0–1. */
  level(): number {
    if (this.source === null) return 0;
    this.analyser.getFloatTimeDomainData(this.samples);
    return levelOf(this.samples);
  }
}
