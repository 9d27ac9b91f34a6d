/** The softphone's core. It knows no Vue, no store and no address of a server: `Softphone` is the way in. */
export { Softphone } from "./softphone";
export type { PhoneEvents, PhoneOptions, PhoneState } from "./softphone";
export type { OfferTransport } from "./connection";
export type { AudioDevice, AudioDevices } from "./devices";
export { canChooseSpeaker, listDevices } from "./devices";
export { PhoneError } from "./errors";
export type { PhoneErrorCode } from "./errors";
export type { Quality, QualityWord } from "./quality";
export { Sounds } from "./sounds";
