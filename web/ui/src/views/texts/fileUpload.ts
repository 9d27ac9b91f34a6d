/** Files of recipients and pictures: sent as they are, with progress. */
import type { Schemas } from "@/api/client";
import { send } from "../lists/upload";

export const MAX_PICTURES = 10;

export function uploadRecipients(file: File, progress: (share: number) => void, signal?: AbortSignal): Promise<Schemas["TextFile"]> {
  return send<Schemas["TextFile"]>(`/api/texts/files?${new URLSearchParams({ file_name: file.name })}`, file, progress, signal);
}

export function uploadPicture(file: File, progress: (share: number) => void): Promise<Schemas["TextMedia"]> {
  return send<Schemas["TextMedia"]>(`/api/text-media?${new URLSearchParams({ name: file.name })}`, file, progress);
}

export const pictureUrl = (id: string): string => `/api/text-media/${encodeURIComponent(id)}`;

/** 12345 → "12 kB". */
export function bytes(n: number): string {
  return n < 1024 ? `${n} B` : n < 1024 * 1024 ? `${Math.round(n / 1024)} kB` : `${(n / 1024 / 1024).toFixed(1)} MB`;
}
