/** The parts that pages are made of. */
export { default as Chart } from "./Chart.vue";
export { default as ConfirmTyped } from "./ConfirmTyped.vue";
export { default as DataTable } from "./DataTable.vue";
export { default as EmptyState } from "./EmptyState.vue";
export { default as ErrorState } from "./ErrorState.vue";
export { default as FormField } from "./FormField.vue";
export { default as PageHead } from "./PageHead.vue";
export { default as PhoneNumber } from "./PhoneNumber.vue";
export { default as SidePanel } from "./SidePanel.vue";
export { default as StateDot } from "./StateDot.vue";
export { default as TimeAgo } from "./TimeAgo.vue";
export { useFilters } from "./filters";
export { useForm } from "./form";
export * as format from "./format";
export { useJobs, type Job } from "./jobs";
export { useNow } from "./now";
export type { Column, Page } from "./table";
export { failed, said, undone } from "./toast";
