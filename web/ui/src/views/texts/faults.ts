/** What is wrong with a text that is to be sent, at the fields of the form, in the user's language. */
import { useI18n } from "vue-i18n";
import { ApiError } from "@/api/errors";
import { format } from "@/kit";

interface Fault {
  code: string;
  at: number;
  text: string;
}

export function useFaults() {
  const { t, te } = useI18n();

  /** Field → sentence; `audience.numbers` and its like are all of `audience`. */
  function faults(error: ApiError): Record<string, string> {
    const fields = Object.fromEntries(Object.entries(error.fields).map(([field, text]) => [field.split(".")[0] ?? field, text]));
    const names = Object.keys(fields);
    const first = (error.body.params.faults as Fault[] | undefined)?.[0];
    if (error.code === "template" && first && te(`texts.template_fault.${first.code}`))
      return { ...fields, body: t(`texts.template_fault.${first.code}`, { text: first.text, at: format.integer(first.at + 1) }) };
    // One field and a text of its own for the code: that text is the more exact one.
    if (names.length === 1 && error.code !== "invalid_input" && te(`error.${error.code}`)) fields[names[0] ?? ""] = error.text;
    return fields;
  }

  return { faults };
}
