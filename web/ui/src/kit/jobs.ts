/** Work that goes on in the background: features add what they started, the tray shows it on every page. */
import { defineStore } from "pinia";
import { shallowReactive } from "vue";
import type { RouteLocationRaw } from "vue-router";

export interface Job {
  id: string;
  title: string;
  state: "running" | "done" | "failed" | "cancelled";
  /** 0 to 1; null while unknown. */
  progress: number | null;
  /** One line: rate, time left, or the result. */
  detail?: string;
  link?: RouteLocationRaw;
  cancel?: () => Promise<unknown>;
}

export const useJobs = defineStore("jobs", () => {
  const jobs = shallowReactive(new Map<string, Job>());

  function put(job: Job): void {
    jobs.set(job.id, job);
  }

  function remove(id: string): void {
    jobs.delete(id);
  }

  return { jobs, put, remove };
});
