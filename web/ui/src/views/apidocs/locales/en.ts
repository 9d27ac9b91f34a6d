export default {
  api_docs: {
    title: "API documentation",
    text: "Every address that other systems can ask, with what it takes and answers.",
    search: "Search",
    parts: "Parts of the API",
    parameters: "Parameters",
    body: "Body",
    answer: "Answer {status}",
    no_fields: "Answers {status} without fields.",
    field: "Field",
    kind: "Kind",
    notes: "Notes",
    required: "required",
    in_person: "Only for people who are signed in at the page; not with a token.",
    public: "Needs no sign-in.",
  },
};
