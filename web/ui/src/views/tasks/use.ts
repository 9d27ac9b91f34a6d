/** What is done with a task, from the page, the panel and the desk. */
import { Phone, Voicemail, NotebookPen, type LucideIcon } from "lucide-vue-next";
import { ref } from "vue";
import { useI18n } from "vue-i18n";
import { api, type Schemas } from "@/api/client";
import { failed, format, said, undone } from "@/kit";
import { recount } from "./counts";

export type Task = Schemas["Task"];

export const ICONS: Record<Task["kind"], LucideIcon> = { voicemail: Voicemail, missed_call: Phone, manual: NotebookPen };

export function useTasks(changed: () => unknown) {
  const { t } = useI18n();
  const busy = ref<number | null>(null);

  function title(task: Task): string {
    if (task.kind === "voicemail") return t("tasks.voicemail_of", { time: format.duration(task.seconds ?? 0) });
    if (task.kind === "missed_call") return t("tasks.missed", { n: task.count }, task.count);
    return task.title;
  }

  async function run<T>(task: Task, work: () => Promise<T>): Promise<T | undefined> {
    busy.value = task.id;
    try {
      const done = await work();
      recount();
      await changed();
      return done;
    } catch (error) {
      failed(error);
      return undefined;
    } finally {
      busy.value = null;
    }
  }

  const path = (task: Task) => ({ path: { task_id: task.id } });
  const take = (task: Task) => run(task, () => api.post("/api/tasks/{task_id}/take", path(task)));
  const reopen = (task: Task) => run(task, () => api.post("/api/tasks/{task_id}/reopen", path(task)));

  async function close(task: Task): Promise<void> {
    const done = await run(task, () => api.post("/api/tasks/{task_id}/close", { ...path(task), body: {} }));
    if (done) undone(t("tasks.was_closed"), () => reopen(task));
  }

  async function call(task: Task): Promise<void> {
    if (await run(task, () => api.post("/api/tasks/{task_id}/call", path(task)))) said(t("tasks.dialing"));
  }

  return { busy, title, take, close, reopen, call };
}
