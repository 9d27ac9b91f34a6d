/** The softphone of this tab. One tab of a browser owns it; it connects when the agent works, and again after a reload. */
import { defineStore } from "pinia";
import { computed, ref, shallowRef } from "vue";
import { api, type Schemas } from "@/api/client";
import { useSession } from "@/stores/session";
import { PhoneError, Softphone, Sounds, type AudioDevices, type PhoneErrorCode, type PhoneState, type Quality } from "@/softphone";

const LOCK_WAIT_MS = 1500;
/** What an agent speaks with: the browser, a telephone that has a number, a registered SIP phone. */
export type Device = "browser" | "number" | "sip";
export type Trouble = PhoneErrorCode | "elsewhere";

export const usePhone = defineStore("phone", () => {
  const state = ref<PhoneState>("off");
  /** What the user should mend, or null. */
  const trouble = ref<Trouble | null>(null);
  const quality = shallowRef<Quality | null>(null);
  const muted = ref(false);
  const microphoneLevel = ref(0);
  const remoteLevel = ref(0);
  const devices = shallowRef<AudioDevices>({ microphones: [], speakers: [] });
  const microphoneId = ref(localStorage.getItem("phone.microphone") ?? "");
  const speakerId = ref(localStorage.getItem("phone.speaker") ?? "");
  const sounds = new Sounds();
  /** What this user speaks with; null until it is known. */
  const device = shallowRef<Schemas["PhoneDeviceState"] | null>(null);
  let releaseLock: (() => void) | null = null;

  const softphone = new Softphone({
    transport: { offer: async (sdp) => (await api.post("/api/phone/offer", { body: { sdp } })).sdp },
    microphoneId: microphoneId.value,
    speakerId: speakerId.value,
  });
  softphone.on("state", (now) => {
    state.value = now.state;
    trouble.value = now.error?.code ?? null;
    if (now.state !== "ready") quality.value = null;
  });
  softphone.on("stats", (report) => (quality.value = report));
  softphone.on("mute", (now) => (muted.value = now));
  softphone.on("devices", (found) => (devices.value = found));
  softphone.on("warning", (error) => (trouble.value = error.code));
  softphone.on("level", (level) => {
    microphoneLevel.value = level.microphone;
    remoteLevel.value = level.remote;
  });
  sounds.setSpeaker(speakerId.value);

  /** Two tabs would take the leg from each other: the first keeps it. */
  async function own(): Promise<boolean> {
    if (releaseLock || !("locks" in navigator)) return true;
    const name = `phone:${useSession().me?.user.id ?? 0}`;
    return new Promise((resolve) => {
      navigator.locks
        .request(name, { signal: AbortSignal.timeout(LOCK_WAIT_MS) }, () => {
          return new Promise<void>((release) => {
            releaseLock = release;
            resolve(true);
          });
        })
        .catch(() => resolve(false));
    });
  }

  async function loadDevice(): Promise<Schemas["PhoneDeviceState"]> {
    device.value ??= await api.get("/api/phone/device", { background: true });
    return device.value;
  }

  /** Speak through the browser, or through a telephone or SIP phone that is called. */
  async function choose(kind: Device, number: string): Promise<void> {
    device.value = await api.patch("/api/phone/device", { body: { kind, number } });
    if (kind !== "browser") stop();
    await start();
  }

  /** Connect, asking for the microphone; a telephone is called. Returns whether the phone can be used. */
  async function start(): Promise<boolean> {
    if ((await loadDevice()).kind !== "browser") {
      await api.post("/api/phone/device/connect");
      return true;
    }
    if (state.value === "ready" || state.value === "interrupted") return true;
    if (!(await own())) {
      trouble.value = "elsewhere";
      return false;
    }
    trouble.value = null;
    try {
      await softphone.start();
    } catch (error) {
      if (error instanceof PhoneError) trouble.value = error.code;
      else throw error;
    }
    return softphone.state === "ready";
  }

  function stop(): void {
    softphone.stop();
    softphone.mute(false);
    releaseLock?.();
    releaseLock = null;
  }

  /** Hang the audio leg up for good and say so. */
  async function close(): Promise<void> {
    if (state.value === "off" && releaseLock === null && (device.value?.kind ?? "browser") === "browser") return;
    stop();
    await api.post("/api/phone/close");
  }

  async function reconnect(): Promise<void> {
    if ((device.value?.kind ?? "browser") !== "browser") await start();
    else if (state.value === "ready" || state.value === "interrupted") softphone.reoffer();
    else {
      softphone.stop();
      await start();
    }
  }

  function mute(on: boolean): void {
    softphone.mute(on);
  }

  async function useMicrophone(id: string): Promise<void> {
    microphoneId.value = id;
    localStorage.setItem("phone.microphone", id);
    await guarded(() => softphone.setMicrophone(id));
  }

  async function useSpeaker(id: string): Promise<void> {
    speakerId.value = id;
    localStorage.setItem("phone.speaker", id);
    sounds.setSpeaker(id);
    await guarded(() => softphone.setSpeaker(id));
  }

  async function guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      if (state.value === "ready") trouble.value = null;
    } catch (error) {
      if (error instanceof PhoneError) trouble.value = error.code;
      else throw error;
    }
  }

  const health = computed<"off" | "good" | "busy" | "bad">(() => {
    if (trouble.value !== null || state.value === "failed" || state.value === "interrupted") return "bad";
    if (state.value === "connecting") return "busy";
    if (state.value === "off") return "off";
    return quality.value?.word === "poor" ? "bad" : "good";
  });

  return {
    state, trouble, quality, muted, microphoneLevel, remoteLevel, devices, microphoneId, speakerId, sounds, health,
    device, start, stop, close, reconnect, mute, useMicrophone, useSpeaker, loadDevice, choose,
  };
});
