export default {
  signin: {
    title: "Sign in",
    enterprise: "Enterprise code",
    username: "User name",
    password: "Password",
    button: "Sign in",
    ended: "Your session has ended. Sign in to go on where you were.",
    demo: "Demo: sign in as",
    show: "Show the password",
    caps: "Caps Lock is on.",
  },
  error: {
    sign_in_refused: "Enterprise, user name or password is not right. Check all three.",
    locked_out: "Too many wrong passwords or codes. Try again in {minutes} min, or ask your administrator to set a new password.",
    user_disabled: "This user is disabled. Ask your administrator.",
  },
};
