/** One RTCPeerConnection to the edge: PCMU both ways, offered by us, answered over the injected transport. */

import { PhoneError } from "./errors";

/** Carries an offer to the server and brings the answer back. Rejects when it cannot. */
export interface OfferTransport {
  offer(sdp: string): Promise<string>;
}

/** Host candidates are enough: the edge has an address that the browser reaches. */
const GATHER_MS = 500;
const CONNECT_MS = 8000;

function gathered(peer: RTCPeerConnection): Promise<void> {
  if (peer.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      peer.removeEventListener("icegatheringstatechange", check);
      resolve();
    };
    const check = (): void => {
      if (peer.iceGatheringState === "complete") done();
    };
    const timer = setTimeout(done, GATHER_MS);
    peer.addEventListener("icegatheringstatechange", check);
  });
}

export class Connection {
  readonly peer: RTCPeerConnection;
  private readonly sender: RTCRtpSender;
  private remoteStream: MediaStream | null = null;

  constructor(track: MediaStreamTrack, iceServers: RTCIceServer[]) {
    this.peer = new RTCPeerConnection({ bundlePolicy: "max-bundle", iceServers });
    this.peer.addEventListener("track", (event) => {
      this.remoteStream = new MediaStream([event.track]);
    });
    const transceiver = this.peer.addTransceiver(track, { direction: "sendrecv" });
    this.sender = transceiver.sender;
    const pcmu = (RTCRtpReceiver.getCapabilities("audio")?.codecs ?? []).filter(
      (codec) => codec.mimeType.toLowerCase() === "audio/pcmu",
    );
    if (pcmu.length === 0) throw new PhoneError("unsupported", "this browser does not speak PCMU");
    transceiver.setCodecPreferences(pcmu);
  }

  /** What the far side says, once the answer is in. */
  get remote(): MediaStream | null {
    return this.remoteStream;
  }

  get connected(): boolean {
    return this.peer.connectionState === "connected";
  }

  /** Offer, take the answer, wait until audio can flow. Throws PhoneError offer_failed or connection_failed. */
  async establish(transport: OfferTransport): Promise<void> {
    await this.peer.setLocalDescription(await this.peer.createOffer());
    await gathered(this.peer);
    const offer = this.peer.localDescription?.sdp ?? "";
    let answer: string;
    try {
      answer = await transport.offer(offer);
    } catch (error) {
      throw new PhoneError("offer_failed", error instanceof Error ? error.message : String(error));
    }
    if (this.peer.signalingState === "closed") throw new PhoneError("connection_failed", "closed meanwhile");
    try {
      await this.peer.setRemoteDescription({ type: "answer", sdp: answer });
    } catch (error) {
      throw new PhoneError("connection_failed", error instanceof Error ? error.message : String(error));
    }
    await this.up();
  }

  private up(): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        const state = this.peer.connectionState;
        if (state === "connected") finish(null);
        else if (state === "failed" || state === "closed") finish(new PhoneError("connection_failed", state));
      };
      const timer = setTimeout(() => finish(new PhoneError("connection_failed", "timed out")), CONNECT_MS);
      const finish = (error: PhoneError | null): void => {
        clearTimeout(timer);
        this.peer.removeEventListener("connectionstatechange", check);
        if (error === null) resolve();
        else reject(error);
      };
      this.peer.addEventListener("connectionstatechange", check);
      check();
    });
  }

  async replaceTrack(track: MediaStreamTrack): Promise<void> {
    await this.sender.replaceTrack(track);
  }

  async stats(): Promise<Record<string, unknown>[]> {
    const entries: Record<string, unknown>[] = [];
    (await this.peer.getStats()).forEach((entry: Record<string, unknown>) => entries.push(entry));
    return entries;
  }

  close(): void {
    this.peer.close();
  }
}
