/**
 * How many parts a text is sent in, by the rules of `smsgateway/segments.py`: GSM 03.38 with 160 septets in one part and
 * 153 in each of several (a character of the extension table takes two), everything else UCS-2 with 70 and 67 UTF-16
 * units; neither pair is cut in two. `tests/smsgateway/segment_cases.json` holds both to one table.
 */
export type Encoding = "gsm7" | "ucs2";

export interface Segments {
  encoding: Encoding;
  parts: number;
  /** Septets or UTF-16 units in all. */
  units: number;
  unitsLeftInPart: number;
}

const BASIC =
  "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
const EXTENDED = "\f^{}\\[~]|€";
const BASIC_SET = new Set(BASIC);
const EXTENDED_SET = new Set(EXTENDED);
const SINGLE = { gsm7: 160, ucs2: 70 };
const MULTI = { gsm7: 153, ucs2: 67 };

/** The encoding that `text` needs. */
export function encoding(text: string): Encoding {
  for (const char of text) if (!BASIC_SET.has(char) && !EXTENDED_SET.has(char)) return "ucs2";
  return "gsm7";
}

/** Where `text` is cut: the units that each part holds, in order. An empty text has no part. */
function cut(text: string, kind: Encoding): { filled: number[]; units: number } {
  const filled: number[] = [];
  let here = 0;
  let units = 0;
  for (const char of text) {
    const width = kind === "ucs2" ? char.length : EXTENDED_SET.has(char) ? 2 : 1;
    units += width;
    if (here + width > MULTI[kind]) {
      filled.push(here);
      here = 0;
    }
    here += width;
  }
  if (here > 0) filled.push(here);
  return { filled: units > 0 && units <= SINGLE[kind] ? [units] : filled, units };
}

/** Parts and units of `text`. */
export function count(text: string): Segments {
  const kind = encoding(text);
  const { filled, units } = cut(text, kind);
  const room = filled.length <= 1 ? SINGLE[kind] : MULTI[kind];
  return { encoding: kind, parts: filled.length, units, unitsLeftInPart: room - (filled.at(-1) ?? 0) };
}
