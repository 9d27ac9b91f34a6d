/** Numbers as people type and paste them: one a line, or with commas, semicolons, tabs, spaces between them. */

export interface Typed {
  /** Each number once, as it was written first. */
  given: string[];
  /** How many more times numbers were written. */
  repeats: number;
}

const BETWEEN = /[\n\r,，;；、|\t]+/;
/** As many digits as a whole number has: below that, spaces stand within a number and not between two. */
const WHOLE = 8;
const digits = (text: string): string => text.replace(/\D/g, "");

function pieces(line: string): string[] {
  const words = line.trim().split(/\s+/).filter(Boolean);
  return words.length > 1 && words.every((w) => digits(w).length >= WHOLE) ? words : [words.join(" ")];
}

/** The numbers in `text`. Two are the same if their digits are: what country they are of, the server says. */
export function numbersIn(text: string): Typed {
  const seen = new Map<string, string>();
  let repeats = 0;
  for (const piece of text.split(BETWEEN).flatMap(pieces)) {
    if (piece === "") continue;
    const key = (piece.startsWith("+") ? "+" : "") + (digits(piece) || piece);
    if (seen.has(key)) repeats += 1;
    else seen.set(key, piece);
  }
  return { given: [...seen.values()], repeats };
}
