/**
 * The API, typed from the server's own description. Every function resolves with the answer's body or throws an
 * `ApiError`; nothing has to be checked.
 *
 *     const page = await api.get("/api/users", { query: { page: 1 } });
 *     await api.patch("/api/users/{user_id}", { path: { user_id: 7 }, body: { name: "Li" } });
 */
import { ApiError, NoConnection, NotSignedIn, type ErrorBody } from "./errors";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];

let token: Promise<string> | null = null;
const signedOutHandlers = new Set<() => void>();

/** Called when an answer says that the session has ended. */
export function onSignedOut(handler: () => void): void {
  signedOutHandlers.add(handler);
}

/** The CSRF token belongs to the session: fetch a new one after signing in or out. */
export function forgetToken(): void {
  token = null;
}

async function fetchToken(): Promise<string> {
  const answer = await fetch("/api/auth/csrf");
  if (!answer.ok) throw new ApiError(answer.status, await errorBody(answer));
  return ((await answer.json()) as { token: string }).token;
}

/** The token for requests made without this client (uploads with progress). */
export async function csrfToken(): Promise<string> {
  token ??= fetchToken().catch((error: unknown) => {
    token = null;
    throw error;
  });
  return token;
}

async function errorBody(answer: Response): Promise<ErrorBody> {
  try {
    const body = (await answer.json()) as Partial<ErrorBody>;
    if (typeof body.code === "string" && typeof body.message === "string")
      return { code: body.code, message: body.message, fields: body.fields ?? {}, params: body.params ?? {} };
  } catch {
    // not JSON: a proxy in between spoke
  }
  return { code: "unavailable", message: "The server is not ready. Try again in a moment.", fields: {}, params: {} };
}

/** The error that `answer` stands for; tells everybody when the session has ended. */
export async function toError(answer: Response): Promise<ApiError> {
  const body = await errorBody(answer);
  if (answer.status === 401 && !new URL(answer.url).pathname.startsWith("/api/auth/sign-in")) {
    forgetToken();
    for (const handler of signedOutHandlers) handler();
    return new NotSignedIn(401, body);
  }
  return new ApiError(answer.status, body);
}

type Method = "get" | "post" | "put" | "patch" | "delete";
type PathsWith<M extends Method> = {
  [P in keyof paths]: paths[P] extends Record<M, { responses: unknown }> ? P : never;
}[keyof paths];
type Operation<P extends keyof paths, M extends Method> = paths[P] extends Record<M, infer O> ? O : never;
type Json<R> = R extends { content: { "application/json": infer J } } ? J : undefined;
type Success<R> = R extends Record<200, infer A> ? Json<A> : R extends Record<201, infer B> ? Json<B> : R extends Record<202, infer C> ? Json<C> : undefined;
/** Body of a successful answer. */
type Answer<O> = O extends { responses: infer R } ? Success<R> : never;
type Init<O> = (O extends { parameters: { path: infer P } } ? { path: P } : object) &
  (O extends { parameters: { query?: infer Q } } ? { query?: Q } : object) &
  (O extends { requestBody: { content: { "application/json": infer B } } }
    ? { body: B }
    : O extends { requestBody?: { content: { "application/json": infer B } } }
      ? { body?: B }
      : object) & {
    signal?: AbortSignal;
    /** The page asks by itself: it does not keep an idle session alive. */
    background?: boolean;
  };
type Arguments<I> = Record<never, never> extends I ? [init?: I] : [init: I];

interface AnyInit {
  path?: Record<string, unknown>;
  query?: Record<string, unknown>;
  body?: unknown;
  signal?: AbortSignal;
  background?: boolean;
}

function address(path: string, init: AnyInit): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(init.path?.[name])));
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(init.query ?? {})) {
    if (value === undefined || value === null || value === "") continue;
    for (const one of Array.isArray(value) ? value : [value]) query.append(name, String(one));
  }
  return query.size > 0 ? `${filled}?${query}` : filled;
}

async function send(method: Method, url: string, init: AnyInit): Promise<Response> {
  const headers: Record<string, string> = {};
  if (method !== "get") headers["X-CSRFToken"] = await csrfToken();
  if (init.background) headers["X-Background"] = "1";
  if (init.body !== undefined) headers["Content-Type"] = "application/json";
  try {
    return await fetch(url, {
      method: method.toUpperCase(),
      headers,
      body: init.body === undefined ? undefined : JSON.stringify(init.body),
      signal: init.signal,
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new NoConnection();
  }
}

async function call(method: Method, path: string, init: AnyInit = {}): Promise<unknown> {
  const url = address(path, init);
  let answer = await send(method, url, init);
  // Another tab has signed in anew: our token is of an older session. Once more with the present one.
  if (answer.status === 400 && ((await answer.clone().json().catch(() => ({}))) as { code?: string }).code === "csrf") {
    forgetToken();
    answer = await send(method, url, init);
  }
  if (!answer.ok) throw await toError(answer);
  return answer.status === 204 ? undefined : answer.json();
}

function typed<M extends Method>(method: M) {
  return <P extends PathsWith<M>>(path: P, ...init: Arguments<Init<Operation<P, M>>>): Promise<Answer<Operation<P, M>>> =>
    call(method, path, init[0] as AnyInit | undefined) as Promise<Answer<Operation<P, M>>>;
}

export const api = {
  get: typed("get"),
  post: typed("post"),
  put: typed("put"),
  patch: typed("patch"),
  delete: typed("delete"),
};
