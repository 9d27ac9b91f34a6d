/** Categories of words in the order in which they are shown; the enterprise's own last. */
export const BUILT_IN = ["fraud", "gambling", "pornography", "drugs", "weapons", "loans", "invoices", "politics", "insults", "medical"] as const;
export const CATEGORIES = [...BUILT_IN, "own"] as const;
export type Category = (typeof CATEGORIES)[number];
