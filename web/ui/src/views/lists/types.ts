/** The live document of an import, as the worker publishes it (crm/jobs/imports.py). */
export interface ImportDocument {
  id: string;
  state: "uploaded" | "queued" | "running" | "done" | "cancelled" | "failed";
  phase: "" | "reading" | "saving" | "rejects";
  total_bytes: number;
  done_bytes: number;
  rows: number;
  rows_per_s: number;
  seconds_left: number | null;
  counts: Record<string, number>;
  error: { code: string; message: string } | null;
  rejected_file: boolean;
}
