/** Why the phone does not work, as codes that the interface has words for. */
export type PhoneErrorCode =
  | "unsupported" // the browser has no WebRTC, or the page is not served over HTTPS or from this machine
  | "microphone_denied" // the user or a policy forbade it
  | "microphone_missing" // none is plugged in, or the chosen one is gone
  | "microphone_busy" // another program holds it
  | "playback_blocked" // the browser wants a click before it plays audio
  | "speaker_missing" // the chosen output is gone
  | "offer_failed" // the server did not answer the offer
  | "connection_failed"; // the answer came, but no audio connection

export class PhoneError extends Error {
  readonly code: PhoneErrorCode;

  constructor(code: PhoneErrorCode, message: string) {
    super(message);
    this.name = "PhoneError";
    this.code = code;
  }
}

/** What went wrong in getUserMedia, told apart as the user must act. */
export function microphoneError(error: unknown): PhoneError {
  const name = error instanceof DOMException ? error.name : "";
  const message = error instanceof Error ? error.message : String(error);
  if (name === "NotAllowedError" || name === "SecurityError") return new PhoneError("microphone_denied", message);
  if (name === "NotReadableError" || name === "AbortError") return new PhoneError("microphone_busy", message);
  return new PhoneError("microphone_missing", message);
}
