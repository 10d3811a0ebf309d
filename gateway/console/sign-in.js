// Signing in, making an account, asking for a new password.

import { call } from "./api.js";
import { element, field, form } from "./dom.js";
import { choices, place, tellOtherTabs } from "./tab.js";
import { text } from "./texts.js";

/** Who arrives here signed in goes on where they wanted. */
export function arrived(draw) {
  place.leave();
  tellOtherTabs("signed-in");
  history.replaceState(null, "", "#/");
  return draw();
}

export async function drawSignIn(draw, note) {
  const methods = await call("GET", "/auth/methods");
  const submit = async ({ email, password }) => {
    adoptLanguage((await call("POST", "/auth/login", { email, password })).user);
    place.leave();
    tellOtherTabs("signed-in");
    await draw();
  };
  return element(
    "div",
    { class: "narrow" },
    element("h1", {}, text("signIn")),
    note ? element("p", { class: "note", role: "status" }, note) : "",
    methods.needs_first_account ? element("p", { class: "note" }, text("firstAccount")) : "",
    form(
      submit,
      text("signIn"),
      field(text("email"), { name: "email", type: "email", autocomplete: "username" }),
      field(text("password"), { name: "password", type: "password", autocomplete: "current-password" }),
    ),
    element("p", {}, element("a", { href: "#/forgot" }, text("forgot"))),
    methods.registration === "open" ? element("p", {}, element("a", { href: "#/register" }, text("registerTitle"))) : "",
  );
}

/** The server speaks the person's own language to them; so does the page, unless another was chosen here. */
export function adoptLanguage(user) {
  if (user.language && !choices.hasLanguage) choices.language = user.language;
}

/** `invitation` is the secret of an invitation's link, without which some installations register nobody. */
export async function drawRegister(invitation) {
  const methods = await call("GET", "/auth/methods");
  return asked(
    text("registerTitle"),
    text("register"),
    ({ email, password, display_name }) =>
      call("POST", "/auth/register", { email, password, display_name, ...(invitation ? { invitation } : {}) }),
    field(text("name"), { name: "display_name", autocomplete: "name", required: false }),
    field(text("email"), { name: "email", type: "email", autocomplete: "username" }),
    newPassword(methods),
  );
}

export async function drawForgot() {
  return asked(
    text("forgotTitle"),
    text("sendLink"),
    ({ email }) => call("POST", "/auth/password-reset", { email }),
    field(text("email"), { name: "email", type: "email", autocomplete: "username" }),
  );
}

export function newPassword(methods) {
  const count = methods.password_minimum_length;
  return field(text("newPassword", { count }), {
    name: "password",
    type: "password",
    autocomplete: "new-password",
    minlength: count,
  });
}

/** A form whose answer is a sentence that takes its place. */
function asked(title, label, submit, ...fields) {
  const page = element("div", { class: "narrow" }, element("h1", {}, title));
  const ask = form(
    async (values) => {
      const { message } = await submit(values);
      ask.replaceWith(element("p", { class: "note", role: "status" }, message));
    },
    label,
    fields,
  );
  page.append(ask, element("p", {}, element("a", { href: "#/" }, text("back"))));
  return page;
}
