export default {
  ranking: {
    title: "Ranking of agents",
    text: "What agents see of one another between calls.",
    period: "Period",
    today: "Today",
    week: "This week",
    agent: "Agent",
    connected: "Connected",
    you: "you",
    nobody: "Nobody has had a call yet.",
    hidden: "Your enterprise shows each agent the own place only.",
    names: "Show colleagues by name",
    names_on: "Agents see the best five with their figures, and their own line among them.",
    names_off: "Agents see their own figures and place only.",
  },
};
