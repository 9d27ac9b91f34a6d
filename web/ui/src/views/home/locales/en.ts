export default {
  home: {
    hello: "Hello, {name}",
    account: "Account",
    valid_always: "Valid without an end",
    valid_until: "Valid until {date} ({days} days)",
    valid_ended: "Ended on {date}: no calls, no texts",
    callbacks: "Your call-backs today",
    callbacks_due: "None due | 1 due | {n} due",
    start: "To the first call",
    done: "Done",
    open: "Not done yet",
    pages: "Pages",
    steps: {
      trunk: { title: "Connect a line", text: "A SIP trunk of your carrier, over which calls go out.", action: "Set up a trunk" },
      people: { title: "Add your people", text: "Agents who talk, supervisors who watch.", action: "Add user" },
      list: { title: "Import numbers", text: "A CSV or Excel file: columns are found, numbers checked, duplicates left out.", action: "Import a list" },
      campaign: { title: "Build a campaign", text: "Which lists, which agents, how fast, and when calls are allowed.", action: "Build a campaign" },
      call: { title: "Talk to somebody", text: "Start the campaign, put on the headset, become available.", action: "Open the desk" },
    },
  },
};
