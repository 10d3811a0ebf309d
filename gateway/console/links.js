// The pages that links in mails open. The secret stands behind the #, where no server log sees it; opening a page uses
// nothing up, because mail programs open links too: a person's click does.

import { Refusal, call } from "./api.js";
import { arrived, wantThisPage } from "./arrival.js";
import { element, field, form, note, sheet, way } from "./dom.js";
import { drawSignIn, newPassword } from "./sign-in.js";
import { session } from "./tab.js";
import { text } from "./texts.js";

const PROOFS = {
  code_required: () => field(text("digits"), { name: "code", class: "code", inputmode: "numeric", autocomplete: "one-time-code", maxlength: 7 }),
  password_required: () => field(text("password"), { name: "password", type: "password", autocomplete: "current-password" }),
  set_up_code_required: () => field(text("setUpCode"), { name: "set_up_code", autocomplete: "off" }),
};

export function drawVerify(token, draw) {
  const finish = (answer) => (answer ? arrived(answer, draw) : page.replaceWith(done("verifyTitle", "verified")));
  const page = sheet(
    text("verifyTitle"),
    proving(token, "/auth/email/verify", text("verify"), finish, { asking_browser_required: () => page.replaceWith(elsewhere()) }),
  );
  return page;
}

/** A changed address is confirmed where it was asked for. Whoever signs in comes back here, and may press again. */
function elsewhere() {
  wantThisPage();
  return sheet(text("verifyTitle"), note(text("verifyElsewhere")), way(text("signIn"), "#/"));
}

export function drawMagicLink(token, draw) {
  return sheet(
    text("signIn"),
    element("p", {}, text("linkPress")),
    proving(token, "/auth/magic-link/verify", text("signIn"), (answer) => arrived(answer, draw)),
    way(text("anotherWay"), "#/"),
  );
}

/** A button that uses a link up. What else proves who pressed it is asked for when the server wants it; `otherwise` says
 * what to do about other refusals. */
function proving(token, path, label, finish, otherwise = {}) {
  const extra = element("div");
  const submit = async (values) => {
    try {
      await finish(await call("POST", path, { token, ...values }));
    } catch (error) {
      if (error instanceof Refusal && otherwise[error.code]) return otherwise[error.code]();
      if (!(error instanceof Refusal && PROOFS[error.code])) throw error;
      const name = error.code.replace("_required", "");
      if (!extra.querySelector(`[name=${name}]`)) extra.append(PROOFS[error.code]());
      extra.querySelector(`[name=${name}]`).focus();
      throw error;
    }
  };
  return form(submit, label, extra);
}

export async function drawReset(token) {
  const methods = await call("GET", "/auth/methods");
  const page = sheet(
    text("forgotTitle"),
    form(
      async ({ password }) => {
        await call("POST", "/auth/password-reset/confirm", { token, password });
        page.replaceWith(done("forgotTitle", "passwordChosen"));
      },
      text("choosePassword"),
      newPassword(methods),
    ),
  );
  return page;
}

export function drawTakeBack(token) {
  const page = sheet(
    text("takeBackTitle"),
    element("p", {}, text("takeBackAsk")),
    form(async () => {
      await call("POST", "/auth/email/take-back", { token });
      page.replaceWith(done("takeBackTitle", "takenBack"));
    }, text("takeBack")),
  );
  return page;
}

/** Whoever is not signed in does that first, or registers with the invitation, and comes back here. */
export async function drawAccept(token, draw) {
  if (!session.known) {
    wantThisPage();
    const page = await drawSignIn(draw, text("invitationNeedsAccount"));
    page.querySelector(`[href="#/register"]`)?.parentElement.remove();
    page.append(element("p", { class: "way" }, text("noAccount"), " ", element("a", { href: `#/register/${encodeURIComponent(token)}` }, text("registerTitle"))));
    return page;
  }
  return sheet(
    text("invitationTitle"),
    element("p", {}, text("invitationAsk")),
    form(async () => {
      await call("POST", "/invitations/accept", { token });
      await arrived(null, draw);
    }, text("accept")),
    way(text("back"), "#/"),
  );
}

function done(title, sentence) {
  return sheet(text(title), note(text(sentence)), element("p", { class: "submit" }, element("a", { href: "#/", class: "button wide" }, text("signIn"))));
}
