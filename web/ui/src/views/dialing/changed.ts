/** Tells a list that a record came back by "Undo", when the panel that deleted it is long gone. */
import { reactive, watch } from "vue";

const versions = reactive<Record<string, number>>({});

export function cameBack(noun: string): void {
  versions[noun] = (versions[noun] ?? 0) + 1;
}

export function onCameBack(noun: string, reload: () => unknown): void {
  watch(() => versions[noun], reload);
}
