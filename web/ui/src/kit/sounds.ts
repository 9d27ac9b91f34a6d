/** Sounds on a page: one plays at a time, whatever button started it; and sending one to the server. */
import { ref, type Ref } from "vue";
import { csrfToken, toError } from "@/api/client";
import { NoConnection } from "@/api/errors";

const audio = typeof Audio === "undefined" ? undefined : new Audio();
let stop: (() => void) | undefined;
let made = "";

/** Play `source` (an address or a blob), in place of what plays now. Resolves when it begins; `ended` is told once. */
export async function playSound(source: string | Blob, ended: () => void): Promise<void> {
  stopSound();
  if (!audio) return;
  made = typeof source === "string" ? "" : URL.createObjectURL(source);
  const finish = (): void => {
    if (stop !== finish) return;
    stop = undefined;
    audio.onended = audio.onerror = null;
    audio.pause();
    if (made) URL.revokeObjectURL(made);
    made = "";
    ended();
  };
  stop = finish;
  audio.onended = audio.onerror = finish;
  audio.src = made || (source as string);
  try {
    await audio.play();
  } catch (error) {
    finish();
    if (!(error instanceof DOMException && error.name === "AbortError")) throw error;
  }
}

export function stopSound(): void {
  stop?.();
}

/** A button's state: press to hear, press again to stop. */
export function useSound(): { playing: Ref<boolean>; toggle: (source: () => Promise<string | Blob>) => Promise<void> } {
  const playing = ref(false);
  async function toggle(source: () => Promise<string | Blob>): Promise<void> {
    if (playing.value) return stopSound();
    stopSound();
    playing.value = true;
    try {
      await playSound(await source(), () => (playing.value = false));
    } catch (error) {
      playing.value = false;
      throw error;
    }
  }
  return { playing, toggle };
}

/** Send `body` (a sound, or values as JSON) and read the answer as JSON, or as a blob where the server speaks. */
export async function sendSound<T>(method: "POST" | "PUT", url: string, body: Blob): Promise<T> {
  const answer = await request(method, url, body, "application/octet-stream");
  return (await answer.json()) as T;
}

/** The server speaks `text`. */
export async function spoken(text: string, language: string, voice: string): Promise<Blob> {
  return (await request("POST", "/api/prompts/speak", JSON.stringify({ text, language, voice }), "application/json")).blob();
}

/** What a caller would hear: an address that `playSound` takes. Throws what the server says is wrong. */
export async function heard(prompt: string, language: string): Promise<Blob> {
  return (await request("GET", `/api/prompts/listen?${new URLSearchParams({ prompt, language })}`)).blob();
}

async function request(method: string, url: string, body?: BodyInit, type?: string): Promise<Response> {
  const headers: Record<string, string> = {};
  if (method !== "GET") headers["X-CSRFToken"] = await csrfToken();
  if (type) headers["Content-Type"] = type;
  let answer: Response;
  try {
    answer = await fetch(url, { method, headers, body });
  } catch {
    throw new NoConnection();
  }
  if (!answer.ok) throw await toError(answer);
  return answer;
}
