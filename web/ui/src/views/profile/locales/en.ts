export default {
  profile: {
    you: "You",
    name: "Name",
    theme_help: "Kept in this browser only.",
    password: "Password",
    current: "Present password",
    new: "New password",
    new_help: "At least 8 characters. You are signed out everywhere else.",
    change: "Change password",
    password_changed: "Your password is changed",
    voicemail: "Voicemail",
    greeting: "Greeting",
    greeting_help: "Callers hear it before they leave you a message.",
    greeting_default: "The system's greeting",
  },
};
