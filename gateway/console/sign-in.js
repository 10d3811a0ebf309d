// Signing in, making an account, asking for a new password. What the installation does not offer is not drawn.

import { call } from "./api.js";
import { arrived } from "./arrival.js";
import { action, element, field, form, note, sheet, way } from "./dom.js";
import { icon } from "./icons.js";
import { mailSignIn } from "./mail-sent.js";
import { passkeysWork, signInWithPasskey } from "./passkeys.js";
import { providerLinks } from "./providers.js";
import { text } from "./texts.js";

export async function drawSignIn(draw, words, { only, confirm } = {}) {
  const offered = await call("GET", "/auth/methods");
  const methods = only ? { ...offered, methods: offered.methods.filter((method) => only(method)) } : offered;
  const kinds = new Set(methods.methods.map((method) => method.kind));
  return sheet(
    text("signIn"),
    words ? note(words) : "",
    methods.needs_first_account ? note(text("firstAccount")) : "",
    kinds.has("password") ? passwordForm(draw) : kinds.has("magic_link") ? linkForm() : "",
    otherWays(methods, draw, { withMail: kinds.has("password") && kinds.has("magic_link"), confirm }),
    methods.registration === "open" && !only
      ? element("p", { class: "way" }, text("noAccount"), " ", element("a", { href: "#/register" }, text("registerTitle")))
      : "",
  );
}

function passwordForm(draw) {
  const submit = async ({ email, password }) => arrived(await call("POST", "/auth/login", { email, password }), draw);
  return [
    form(
      submit,
      text("signIn"),
      field(text("email"), { name: "email", type: "email", autocomplete: "username", autofocus: true }),
      field(text("password"), { name: "password", type: "password", autocomplete: "current-password" }),
    ),
    way(text("forgot"), "#/forgot"),
  ];
}

/** An address alone, where no password is asked for. */
function linkForm(invitation) {
  return form(
    ({ email }) => mailSignIn(email, invitation),
    text("sendLink"),
    field(text("email"), { name: "email", type: "email", autocomplete: "username", autofocus: true }),
  );
}

/** The ways in besides the form above, each a button; nothing when there is none. */
function otherWays(methods, draw, { withMail, invitation, confirm }) {
  const hasPasskey = methods.methods.some((method) => method.kind === "passkey") && passkeysWork() && !invitation;
  const ways = [
    hasPasskey ? action([icon("passkey"), text("usePasskey")], async () => arrived(await signInWithPasskey(), draw), { class: "quiet wide" }) : null,
    withMail ? action([icon("mail"), text("linkByMail")], (button) => mailTyped(button, invitation), { class: "quiet wide" }) : null,
    ...providerLinks(methods.methods, { invitation, confirm }),
  ].filter(Boolean);
  if (!ways.length) return "";
  const list = element("ul", { class: "ways", "aria-label": text("otherWays") }, ways.map((each) => element("li", {}, each)));
  return element("section", { class: "others" }, element("p", { class: "divider" }, text("or")), list);
}

/** Mail a link to the address that was typed above. */
function mailTyped(button, invitation) {
  const address = button.closest(".sheet").querySelector("input[type=email]");
  return address.reportValidity() ? mailSignIn(address.value, invitation) : undefined;
}

/** `invitation` is the secret of an invitation's link, without which some installations register nobody. */
export async function drawRegister(invitation, draw) {
  const methods = await call("GET", "/auth/methods");
  const withMail = methods.methods.some((method) => method.kind === "magic_link") && !methods.set_up_code_required;
  return asked(
    text("registerTitle"),
    text("register"),
    ({ email, password, display_name }) =>
      call("POST", "/auth/register", { email, password, display_name, ...(invitation ? { invitation } : {}) }),
    [
      field(text("name"), { name: "display_name", autocomplete: "name", required: false }),
      field(text("email"), { name: "email", type: "email", autocomplete: "username" }),
      newPassword(methods),
    ],
    otherWays({ ...methods, methods: methods.methods.filter((method) => method.kind !== "passkey") }, draw, { withMail, invitation }),
    element("p", { class: "way" }, text("haveAccount"), " ", element("a", { href: "#/" }, text("signIn"))),
  );
}

export async function drawForgot() {
  return asked(
    text("forgotTitle"),
    text("sendLink"),
    ({ email }) => call("POST", "/auth/password-reset", { email }),
    [field(text("email"), { name: "email", type: "email", autocomplete: "username", autofocus: true })],
    way(text("back"), "#/"),
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

/** A form whose answer is a sentence that takes its place, and that of the `others` below. */
function asked(title, label, submit, fields, ...others) {
  const ask = form(
    async (values) => {
      const { message } = await submit(values);
      ask.parentElement.querySelector(".others")?.remove();
      ask.replaceWith(note(message));
    },
    label,
    fields,
  );
  return sheet(title, ask, others);
}
