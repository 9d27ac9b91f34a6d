/**
 * Live documents over Socket.IO: `useLive("agent:7")` holds the newest document of the topic, from the first
 * subscription on, through reloads of the server and losses of the network.
 */
import { io, type Socket } from "socket.io-client";
import { getCurrentScope, onScopeDispose, readonly, ref, shallowRef, type Ref, type ShallowRef } from "vue";

interface Answer {
  docs: Record<string, unknown>;
  denied: string[];
  now: number;
}

interface Pushed {
  topic: string;
  doc: unknown;
  /** `agents` is all agents' documents by topic; this is one of them. */
  part_of?: string;
}

interface Topic {
  doc: ShallowRef<unknown>;
  /** The server has answered for this topic since the last connect. */
  current: Ref<boolean>;
  denied: Ref<boolean>;
  users: number;
  /** A document came by itself since the topic was asked for: newer than the answer that is under way. */
  pushed: boolean;
}

const topics = new Map<string, Topic>();
const connected = ref(false);
const everConnected = ref(false);
/** Server's clock minus ours, seconds. */
const offset = ref(0);
let socket: Socket | null = null;

function take(answer: Answer): void {
  offset.value = answer.now - Date.now() / 1000;
  for (const [name, doc] of Object.entries(answer.docs)) {
    const topic = topics.get(name);
    if (!topic) continue;
    if (!topic.pushed) topic.doc.value = doc;
    topic.current.value = true;
  }
  for (const name of answer.denied) {
    const topic = topics.get(name);
    if (topic) topic.denied.value = true;
  }
}

function subscribe(names: string[]): void {
  if (!socket?.connected || names.length === 0) return;
  for (const name of names) {
    const topic = topics.get(name);
    if (topic) topic.pushed = false;
  }
  socket.emit("subscribe", { topics: names }, take);
}

/** Open the connection; called once somebody is signed in. */
export function connectLive(): void {
  if (socket) return;
  socket = io({ transports: ["websocket"], reconnectionDelay: 300, reconnectionDelayMax: 3000 });
  socket.on("connect", () => {
    connected.value = true;
    everConnected.value = true;
    subscribe([...topics.keys()]);
  });
  socket.on("disconnect", (reason) => {
    connected.value = false;
    for (const topic of topics.values()) topic.current.value = false;
    // The server ended it: the session is over or the server restarts. Try again; the API tells which.
    if (reason === "io server disconnect") setTimeout(() => socket?.connect(), 1000);
  });
  socket.on("doc", ({ topic, doc, part_of }: Pushed) => {
    const known = topics.get(part_of ?? topic);
    if (!known) return;
    if (part_of === undefined) {
      known.pushed = true;
      known.doc.value = doc;
    } else if (known.current.value) known.doc.value = { ...(known.doc.value as object | null), [topic]: doc };
  });
}

export function disconnectLive(): void {
  socket?.disconnect();
  socket = null;
  connected.value = false;
  everConnected.value = false;
  topics.clear();
}

export interface Live<T> {
  /** Newest document; null if there is none yet. */
  doc: Readonly<ShallowRef<T | null>>;
  /** False while the connection is lost and `doc` may be old. */
  current: Readonly<Ref<boolean>>;
  /** The user's roles do not show this topic. */
  denied: Readonly<Ref<boolean>>;
}

/** Follow `name` for as long as the calling component lives. */
export function useLive<T>(name: string): Live<T> {
  let topic = topics.get(name);
  if (!topic) {
    topic = { doc: shallowRef<unknown>(null), current: ref(false), denied: ref(false), users: 0, pushed: false };
    topics.set(name, topic);
    subscribe([name]);
  }
  topic.users += 1;
  const held = topic;
  if (getCurrentScope())
    onScopeDispose(() => {
      held.users -= 1;
      if (held.users > 0 || topics.get(name) !== held) return;
      topics.delete(name);
      socket?.emit("unsubscribe", { topics: [name] });
    });
  return { doc: topic.doc as ShallowRef<T | null>, current: readonly(topic.current), denied: readonly(topic.denied) };
}

/** Whether the live connection stands; `lost` only after it stood once. */
export function useConnection(): { connected: Readonly<Ref<boolean>>; everConnected: Readonly<Ref<boolean>> } {
  return { connected: readonly(connected), everConnected: readonly(everConnected) };
}

/** The server's clock, seconds since the epoch: timers of live documents count from it. */
export function serverNow(): number {
  return Date.now() / 1000 + offset.value;
}
