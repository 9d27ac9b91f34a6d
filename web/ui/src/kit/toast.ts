/** Short messages. `undone` in place of "are you sure": the deed is done, and can be taken back for a while. */
import { ElMessage } from "element-plus";
import { h } from "vue";
import { messageOf, NotSignedIn } from "@/api/errors";
import { i18n } from "@/i18n";

const UNDO_MS = 8000;

export function said(text: string): void {
  ElMessage.success({ message: text, grouping: true });
}

export function noted(text: string): void {
  ElMessage.info({ message: text, grouping: true, duration: 4000 });
}

export function failed(error: unknown): void {
  if (error instanceof NotSignedIn) return;
  ElMessage.error({ message: messageOf(error), grouping: true, duration: 6000 });
}

/** Say what was done and offer to take it back. */
export function undone(text: string, undo: () => Promise<unknown>): void {
  const message = ElMessage.success({
    duration: UNDO_MS,
    message: h("span", { class: "undo" }, [
      text,
      h(
        "button",
        {
          type: "button",
          class: "undo-button",
          onClick: () => {
            message.close();
            undo().catch(failed);
          },
        },
        i18n.global.t("kit.undo"),
      ),
    ]),
  });
}
