/** Sends a file as the body of a request, with progress and a way to stop. */
import { csrfToken, toError, type Schemas } from "@/api/client";
import { NoConnection } from "@/api/errors";

export async function send<T>(url: string, file: File, progress: (share: number) => void, signal?: AbortSignal): Promise<T> {
  const token = await csrfToken();
  return new Promise<T>((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    request.setRequestHeader("X-CSRFToken", token);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onerror = () => reject(new NoConnection());
    request.onabort = () => reject(new DOMException("stopped", "AbortError"));
    request.onload = () => {
      if (request.status < 300) resolve(JSON.parse(request.responseText) as T);
      else void toError(new Response(request.responseText, { status: request.status })).then(reject);
    };
    signal?.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}

export function upload(file: File, listId: number, progress: (share: number) => void, signal: AbortSignal): Promise<Schemas["Import"]> {
  const query = new URLSearchParams({ list_id: String(listId), file_name: file.name });
  return send(`/api/imports?${query}`, file, progress, signal);
}
