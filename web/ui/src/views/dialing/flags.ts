/** What a disposition can mean, in the order of the form. */
export const FLAGS = ["human", "contact", "sale", "not_interested", "callback", "wrong_number", "do_not_call", "final"] as const;
