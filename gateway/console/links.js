// The pages that links in mails open. The secret stands behind the #, where no server log sees it; opening a page uses
// nothing up, because mail programs open links too: a person's click does.

import { Refusal, call } from "./api.js";
import { element, field, form } from "./dom.js";
import { arrived, newPassword } from "./sign-in.js";
import { text } from "./texts.js";

const PROOFS = {
  code_required: () => field(text("digits"), { name: "code", inputmode: "numeric", autocomplete: "one-time-code" }),
  password_required: () => field(text("password"), { name: "password", type: "password", autocomplete: "current-password" }),
  set_up_code_required: () => field(text("setUpCode"), { name: "set_up_code", autocomplete: "off" }),
};

export function drawVerify(token, draw) {
  const page = narrow(
    "verifyTitle",
    proving(token, "/auth/email/verify", text("verify"), async (signedIn) => {
      if (signedIn) return arrived(draw);
      page.replaceChildren(done("verifyTitle", "verified"));
    }),
  );
  return page;
}

export function drawMagicLink(token, draw) {
  return narrow("signIn", proving(token, "/auth/magic-link/verify", text("signIn"), () => arrived(draw)));
}

/** A button that uses a link up. What else proves who pressed it is asked for when the server wants it. */
function proving(token, path, label, finish) {
  const extra = element("div");
  const submit = async (values) => {
    try {
      await finish(await call("POST", path, { token, ...values }));
    } catch (error) {
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
  const page = narrow(
    "forgotTitle",
    form(
      async ({ password }) => {
        await call("POST", "/auth/password-reset/confirm", { token, password });
        page.replaceChildren(done("forgotTitle", "passwordChosen"));
      },
      text("choosePassword"),
      newPassword(methods),
    ),
  );
  return page;
}

export function drawTakeBack(token) {
  const page = narrow(
    "takeBackTitle",
    form(async () => {
      await call("POST", "/auth/email/take-back", { token });
      page.replaceChildren(done("takeBackTitle", "takenBack"));
    }, text("takeBack")),
  );
  return page;
}

export function drawAccept(token, draw) {
  return narrow(
    "invitationTitle",
    element("p", {}, text("invitationNeedsAccount")),
    element("p", {}, element("a", { href: `#/register/${encodeURIComponent(token)}` }, text("registerTitle"))),
    form(async () => {
      await call("POST", "/invitations/accept", { token });
      await arrived(draw);
    }, text("accept")),
  );
}

function narrow(title, ...children) {
  return element("div", { class: "narrow" }, element("h1", {}, text(title)), children);
}

function done(title, sentence) {
  return narrow(
    title,
    element("p", { class: "note", role: "status" }, text(sentence)),
    element("p", {}, element("a", { href: "#/" }, text("signIn"))),
  );
}
