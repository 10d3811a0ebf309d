// “My account”: how its person signs in, where they are signed in, and which programs act for them.

import { call } from "./api.js";
import { drawApiKeys } from "./account-keys.js";
import { drawIdentities } from "./account-identities.js";
import { drawBackupCodes, drawPasskeys, drawPassword, drawTotp } from "./account-proofs.js";
import { drawSessions } from "./account-sessions.js";
import { element } from "./dom.js";
import { session } from "./tab.js";
import { text } from "./texts.js";

/** The page. `mandate` is the one this tab works in, or none. */
export async function drawAccount(mandate, draw) {
  const [user, methods] = await Promise.all([call("GET", "/users/me"), call("GET", "/auth/methods")]);
  const panels = session.local ? [drawApiKeys()] : panelsOf(methods, draw);
  const back = mandate ? text("toMandate", { mandate: mandate.name }) : text("toWork");
  return element(
    "div",
    { class: "account" },
    element("p", { class: "way-back" }, element("a", { href: mandate ? `#/m/${mandate.slug}` : "#/" }, `← ${back}`)),
    element("h1", {}, text("account")),
    element("p", { class: "small" }, session.local ? text("accountLocal") : who(user)),
    panels,
  );
}

function who({ display_name: name, email }) {
  return name ? text("accountOf", { name, email }) : text("accountOfAddress", { email });
}

function panelsOf(methods, draw) {
  const offers = (factor) => methods.second_factors.includes(factor);
  const changed = new EventTarget(); // one factor more or less changes what the others can say
  return [
    methods.methods.some((method) => method.kind === "password") ? drawPassword(methods) : "",
    offers("passkey") ? drawPasskeys(changed) : "",
    offers("totp") ? drawTotp(changed) : "",
    offers("backup_code") ? drawBackupCodes(changed) : "",
    methods.methods.some((method) => method.kind === "provider") ? drawIdentities(methods) : "",
    drawSessions(methods, draw),
    drawApiKeys(),
  ];
}
