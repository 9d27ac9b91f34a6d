/** The audio element that plays the far side, kept playing whatever the browser does with it. */

import { canChooseSpeaker } from "./devices";
import { PhoneError } from "./errors";

export class Speaker {
  private readonly element: HTMLAudioElement;
  private readonly warn: (error: PhoneError) => void;

  /** `warn` hears when the browser refuses to play or the chosen output is gone. */
  constructor(deviceId: string, warn: (error: PhoneError) => void) {
    this.warn = warn;
    this.element = document.createElement("audio");
    this.element.autoplay = true;
    this.element.hidden = true;
    document.body.append(this.element);
    this.element.addEventListener("pause", this.play);
    document.addEventListener("click", this.play);
    if (deviceId !== "") this.choose(deviceId).catch(warn);
  }

  /** Play `stream` from now on. */
  follow(stream: MediaStream | null): void {
    this.element.srcObject = stream;
    this.play();
  }

  /** Sound through another output; "" is the system's choice. Throws PhoneError if it is gone. */
  async choose(deviceId: string): Promise<void> {
    if (!canChooseSpeaker()) return;
    try {
      await this.element.setSinkId(deviceId);
    } catch (error) {
      throw new PhoneError("speaker_missing", error instanceof Error ? error.message : String(error));
    }
  }

  close(): void {
    document.removeEventListener("click", this.play);
    this.element.removeEventListener("pause", this.play);
    this.element.srcObject = null;
    this.element.remove();
  }

  /** A browser that pauses the element (headset unplugged, tab restored) is told again; a click helps where it wants one. */
  private readonly play = (): void => {
    if (this.element.srcObject === null || !this.element.paused) return;
    this.element.play().catch((error: unknown) => {
      if (error instanceof DOMException && error.name === "NotAllowedError") {
        this.warn(new PhoneError("playback_blocked", error.message));
      }
    });
  };
}
