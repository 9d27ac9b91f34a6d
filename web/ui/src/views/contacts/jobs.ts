/** Follows imports and exports on every page: the tray shows them, and an export's file is fetched when it is there. */
import { effectScope, watch } from "vue";
import { api, type Schemas } from "@/api/client";
import { useLive } from "@/api/live";
import { i18n } from "@/i18n";
import { format, useJobs } from "@/kit";

/** The live document of a job (crm/jobs/contacts.py). */
export interface JobDocument {
  id: string;
  state: "uploaded" | "queued" | "running" | "done" | "cancelled" | "failed";
  phase: "" | "reading" | "saving" | "rejects" | "writing";
  total_bytes: number;
  done_bytes: number;
  total: number;
  rows: number;
  counts: Record<string, number>;
  error: { code: string; message: string } | null;
}

type Started = Schemas["ContactJob"];
const followed = new Set<string>();

export function cancelJob(job: Started): Promise<unknown> {
  const path = { job_id: job.id };
  return job.kind === "import" ? api.post("/api/contact-imports/{job_id}/cancel", { path }) : api.post("/api/contact-exports/{job_id}/cancel", { path });
}

export function shareOf(doc: JobDocument | null): number | null {
  if (doc?.phase === "reading" && doc.total_bytes > 0) return Math.min(1, doc.done_bytes / doc.total_bytes);
  if (doc?.phase === "writing" && doc.total > 0) return Math.min(1, doc.rows / doc.total);
  return null;
}

export function wordsOf(doc: JobDocument | null): string {
  const { t } = i18n.global;
  if (!doc || doc.phase === "") return t("contacts.job.waiting");
  return t(`contacts.job.${doc.phase}`, { n: format.integer(doc.rows) });
}

export function hasEnded(state: string): boolean {
  return state === "done" || state === "failed" || state === "cancelled";
}

/** What became of a job, in a sentence. */
export function outcomeOf(job: { kind: string; state: string; counts: Record<string, number>; error: { code?: string; message?: string } | null }): string {
  const { t, te } = i18n.global;
  const n = (key: string): string => format.integer(job.counts[key] ?? 0);
  if (job.state === "failed") return job.error?.code && te(`error.${job.error.code}`) ? t(`error.${job.error.code}`) : (job.error?.message ?? t("contacts.job.failed"));
  if (job.state !== "done") return t(`contacts.job.state.${job.state}`);
  if (job.kind === "export") return t("contacts.job.exported", { n: n("total") }, job.counts.total ?? 0);
  const left = (job.counts.rejected ?? 0) + (job.counts.duplicate_file ?? 0) + (job.counts.duplicate_book ?? 0);
  return t("contacts.job.imported", { added: n("added"), updated: n("updated"), left: format.integer(left) });
}

export function download(url: string): void {
  const link = document.createElement("a");
  link.href = url;
  link.download = "";
  document.body.append(link);
  link.click();
  link.remove();
}

/** Follow a job that was started until it has ended; `ended` is told then. */
export function followJob(job: Started, ended?: (doc: JobDocument) => void): void {
  if (followed.has(job.id)) return;
  followed.add(job.id);
  const tray = useJobs();
  const scope = effectScope(true);
  const { t } = i18n.global;
  const title = t(job.kind === "import" ? "contacts.job.import_of" : "contacts.job.export_of", { name: job.file_name });
  scope.run(() => {
    const live = useLive<JobDocument>(`contact-job:${job.id}`);
    watch(
      live.doc,
      (doc) => {
        const over = doc !== null && hasEnded(doc.state);
        tray.put({
          id: `contact-${job.id}`,
          title,
          state: doc && over ? (doc.state as "done" | "failed" | "cancelled") : "running",
          progress: shareOf(doc),
          detail: doc && over ? outcomeOf({ kind: job.kind, ...doc }) : wordsOf(doc),
          link: "/contacts/files",
          cancel: () => cancelJob(job),
        });
        if (!doc || !over) return;
        if (job.kind === "export" && doc.state === "done") download(`/api/contact-exports/${job.id}/file`);
        followed.delete(job.id);
        ended?.(doc);
        queueMicrotask(() => scope.stop());
      },
      { immediate: true },
    );
  });
}
