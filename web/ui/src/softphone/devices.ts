/** Microphones and speakers of this machine. */

export interface AudioDevice {
  readonly id: string;
  /** Empty until the user has allowed the microphone once. */
  readonly label: string;
}

export interface AudioDevices {
  readonly microphones: readonly AudioDevice[];
  /** Empty where the browser does not let a page choose (setSinkId is missing). */
  readonly speakers: readonly AudioDevice[];
}

export function canChooseSpeaker(): boolean {
  return "setSinkId" in HTMLMediaElement.prototype;
}

export async function listDevices(): Promise<AudioDevices> {
  const all = await navigator.mediaDevices.enumerateDevices();
  const of = (kind: MediaDeviceKind): AudioDevice[] =>
    all.filter((d) => d.kind === kind).map((d) => ({ id: d.deviceId, label: d.label }));
  return { microphones: of("audioinput"), speakers: canChooseSpeaker() ? of("audiooutput") : [] };
}

/** Open a microphone. `deviceId` "" is the system's choice; one that is gone falls back to that. */
export async function openMicrophone(deviceId: string, processing: MediaTrackConstraints): Promise<MediaStream> {
  const wanted: MediaTrackConstraints = deviceId === "" ? { ...processing } : { ...processing, deviceId: { exact: deviceId } };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: wanted, video: false });
  } catch (error) {
    const gone = error instanceof DOMException && (error.name === "OverconstrainedError" || error.name === "NotFoundError");
    if (deviceId !== "" && gone) {
      return await navigator.mediaDevices.getUserMedia({ audio: { ...processing }, video: false });
    }
    throw error;
  }
}
