// The dialog that opens when a change wants a recent sign-in. The change goes on once the person has proved it is them.

import { call } from "./api.js";
import { openDialog } from "./dialog.js";
import { action, element } from "./dom.js";
import { factorChoice } from "./factors.js";
import { mailCodeForm } from "./mail-sent.js";
import { passkeysWork, stepUpWithPasskey } from "./passkeys.js";
import { providerLinks } from "./providers.js";
import { place } from "./tab.js";
import { text } from "./texts.js";

let asking = null;

/** Answers whether the person proved it. Several changes that ask at once share one dialog. */
export function confirmItIsYou(factors) {
  asking ??= ask(factors).finally(() => {
    asking = null;
  });
  return asking;
}

async function ask(factors) {
  const anew = factors.includes("sign_in") || !factors.length;
  const content = anew ? await signInAnew() : (finish) => showFactor(factors, finish);
  return Boolean(await openDialog(text("stepUpTitle"), content));
}

function showFactor(factors, finish) {
  const usable = factors.filter((name) => name !== "passkey" || passkeysWork());
  return [
    element("p", {}, text("stepUpWhy")),
    factorChoice(usable.length ? usable : factors, {
      prove: (shown) => call("POST", "/auth/step-up", shown),
      passkey: stepUpWithPasskey,
      finish: () => finish(true),
      label: text("confirm"),
    }),
  ];
}

/** Somebody without a password and without factors proves themselves the way they came: by a mail, or their provider. */
async function signInAnew() {
  const [methods, user, { items }] = await Promise.all([call("GET", "/auth/methods"), call("GET", "/users/me"), call("GET", "/auth/identities")]);
  const mine = methods.methods.filter((method) => items.some((each) => each.provider === method.name));
  const byMail = methods.methods.some((method) => method.kind === "magic_link");
  place.wanted = location.hash;
  const links = providerLinks(mine, { confirm: true });
  return (finish) => [
    element("p", {}, text(byMail ? "stepUpAnew" : "stepUpLeaves")),
    byMail ? mailing(user.email, finish) : "",
    links.length ? element("ul", { class: "ways" }, links.map((each) => element("li", {}, each))) : "",
  ];
}

function mailing(email, finish) {
  const made = element("div");
  made.append(
    sendButton(email, async () => {
      made.replaceChildren(element("p", {}, text("mailSent", { email })), mailCodeForm(() => finish(true)));
      made.querySelector("input").focus();
    }),
  );
  return made;
}

function sendButton(email, then) {
  return action(text("insteadMail"), async () => {
    await call("POST", "/auth/magic-link", { email });
    await then();
  }, { class: "wide" });
}
