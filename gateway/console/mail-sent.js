// After a link was asked for: the page that waits for its code, in the browser that asked.

import { call } from "./api.js";
import { arrived } from "./arrival.js";
import { action, element, field, form, note, sheet, way } from "./dom.js";
import { text } from "./texts.js";

const ASKED = "mail-asked";

/** Have a link and its codes mailed, and wait for them. */
export async function mailSignIn(email, invitation) {
  await askMail(email, invitation);
  sessionStorage.setItem(ASKED, email);
  location.hash = "#/mail-sent";
}

function askMail(email, invitation) {
  return call("POST", "/auth/magic-link", { email, ...(invitation ? { invitation } : {}) });
}

/** `finish(answer)` goes on once the code was right. */
export function mailCodeForm(finish) {
  const code = field(
    text("mailCode"),
    { name: "code", class: "code", autocomplete: "one-time-code", autocapitalize: "characters", spellcheck: "false", maxlength: 12, autofocus: true },
    text("mailCodeHint"),
  );
  return form(async (values) => finish(await call("POST", "/auth/magic-link/verify", { code: values.code })), text("signIn"), code);
}

export function drawMailSent(_, draw) {
  const email = sessionStorage.getItem(ASKED);
  const told = element("div", { role: "status" });
  const again = async () => {
    await askMail(email);
    told.replaceChildren(note(text("mailAgainSent")));
  };
  return sheet(
    text("mailSentTitle"),
    email ? element("p", {}, text("mailSent", { email })) : "",
    element("p", {}, text("mailSentHow")),
    mailCodeForm((answer) => {
      sessionStorage.removeItem(ASKED);
      return arrived(answer, draw);
    }),
    told,
    email ? element("p", { class: "way" }, action(text("mailAgain"), again, { class: "link" })) : "",
    way(text("anotherWay"), "#/"),
  );
}
