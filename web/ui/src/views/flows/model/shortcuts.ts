/** Keys and the clipboard while the editor is open. What is typed into a field stays there. */
import { onBeforeUnmount, onMounted, type Ref } from "vue";
import type { Editing } from "./editing";
import type { History } from "./history";
import { GRID, type Point } from "./graph";

interface Page {
  focusNode: (id: string) => void;
  reveal: (ids: string[]) => Promise<void>;
  toFlow: (screen: Point) => Point;
  fit: () => Promise<boolean>;
  zoomIn: () => unknown;
  zoomOut: () => unknown;
}

function inField(target: EventTarget | null): boolean {
  const at = target instanceof HTMLElement ? target : null;
  return at?.closest("input, textarea, select, [contenteditable=true], [role=combobox], [role=menu], [role=dialog], [role=listbox]") != null;
}

function covered(): boolean {
  return document.querySelector(".el-overlay:not([style*='display: none'])") !== null;
}

/** `open`: show a node's settings and go there. */
export function useShortcuts(root: Ref<HTMLElement | undefined>, editing: Editing, history: History, page: () => Page | undefined, allowed: () => boolean, open: () => void): void {
  /** Where the mouse last was over the page: what is pasted goes there. */
  let pointer: Point | undefined;
  /** Text that was copied last, and how often it was put in since: each further one lies beside the one before. */
  let clip = { text: "", times: 0 };

  function onCanvas(target: EventTarget | null): boolean {
    // Nothing in particular has the focus: what lies around the editor is meant as the editor too.
    return target instanceof Node && root.value !== undefined && (root.value.contains(target) || target.contains(root.value));
  }

  function withControl(event: KeyboardEvent, key: string): boolean {
    if (key === "z" && event.shiftKey) history.redo();
    else if (key === "z") history.undo();
    else if (key === "y") history.redo();
    else if (key === "a") editing.selectAll();
    else if (key === "d") editing.duplicate();
    else return false;
    return true;
  }

  function plain(event: KeyboardEvent): boolean {
    const at = page();
    if (event.key === "Delete" || event.key === "Backspace") {
      if (allowed()) editing.remove();
    } else if (event.key === "Enter" && editing.current.value && !(event.target as HTMLElement).closest("button, a")) open();
    else if (event.key === "Escape") {
      editing.selected.value = [];
      editing.wires.value = [];
    } else if (event.key === "+" || event.key === "=") void at?.zoomIn();
    else if (event.key === "-") void at?.zoomOut();
    else if (event.key === "0") void at?.fit();
    else if (!(allowed() && editing.nudge(event.key, event.shiftKey))) return false;
    return true;
  }

  function onKey(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.isComposing || inField(event.target) || covered() || !onCanvas(event.target)) return;
    const control = event.ctrlKey || event.metaKey;
    if (event.altKey || (control && !allowed())) return;
    if (control ? withControl(event, event.key.toLowerCase()) : plain(event)) event.preventDefault();
  }

  function onCopy(event: ClipboardEvent): void {
    if (inField(event.target) || covered() || window.getSelection()?.toString()) return;
    const text = editing.copyText();
    if (!text || !event.clipboardData) return;
    event.clipboardData.setData("text/plain", text);
    event.preventDefault();
    clip = { text, times: 0 };
    if (event.type === "cut" && allowed()) editing.remove();
  }

  function onPaste(event: ClipboardEvent): void {
    if (inField(event.target) || covered() || !allowed()) return;
    const text = event.clipboardData?.getData("text/plain") ?? "";
    clip = clip.text === text ? { text, times: clip.times + 1 } : { text, times: 1 };
    const shift = (clip.times - 1) * GRID * 2;
    const at = pointer && page()?.toFlow(pointer);
    if (editing.paste(text, at && { x: at.x + shift, y: at.y + shift })) {
      event.preventDefault();
      void page()?.reveal(editing.selected.value);
    }
  }

  function onPointer(event: PointerEvent): void {
    pointer = (event.target as HTMLElement).closest(".flow-canvas") ? { x: event.clientX, y: event.clientY } : undefined;
  }

  onMounted(() => {
    // Before the call bar's own keys.
    window.addEventListener("keydown", onKey, true);
    document.addEventListener("copy", onCopy);
    document.addEventListener("cut", onCopy);
    document.addEventListener("paste", onPaste);
    window.addEventListener("pointermove", onPointer, { passive: true });
  });
  onBeforeUnmount(() => {
    window.removeEventListener("keydown", onKey, true);
    document.removeEventListener("copy", onCopy);
    document.removeEventListener("cut", onCopy);
    document.removeEventListener("paste", onPaste);
    window.removeEventListener("pointermove", onPointer);
  });
}
