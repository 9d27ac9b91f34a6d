/** Rows of a form over a value of another shape (a map, a list). A row that is half typed stays, though the value can't
 * hold it yet. */
import { ref, watch, type Ref } from "vue";

export function useRows<R extends object, V>(value: () => V, toRows: (value: V) => R[], fromRows: (rows: R[]) => V, emit: (value: V) => void): { rows: Ref<R[]>; changed: () => void } {
  const rows = ref(toRows(value())) as Ref<R[]>;
  let told = JSON.stringify(value());

  // Undo, another node or somebody else's change: not what was typed here.
  watch(value, (now) => {
    const text = JSON.stringify(now);
    if (text === told) return;
    told = text;
    rows.value = toRows(now);
  });

  function changed(): void {
    const next = fromRows(rows.value);
    const text = JSON.stringify(next);
    if (text === told) return;
    told = text;
    emit(next);
  }
  return { rows, changed };
}
