// Choosing the mandate of this tab, and what to do when a mandate wants another sign-in than this one.

import { call } from "./api.js";
import { action, element, sheet, way } from "./dom.js";
import { icon } from "./icons.js";
import { deeds } from "./panel.js";
import { drawSignIn } from "./sign-in.js";
import { confirmItIsYou } from "./step-up.js";
import { place, session } from "./tab.js";
import { hasText, text } from "./texts.js";

/** `page` is the one of the mandate to go on to; empty for its first. */
export async function drawPicker(mandates, draw, page) {
  const joinable = session.local ? [] : (await call("GET", "/mandates/joinable")).items;
  return element(
    "div",
    {},
    element("h1", {}, text("chooseMandate")),
    element("p", { class: "small" }, text(mandates.length ? "chooseHint" : "noMandate")),
    element("ul", { class: "cards" }, mandates.map((mandate) => element("li", {}, card(mandate, draw, page)))),
    joinable.length
      ? [
          element("h2", {}, text("joinable")),
          element("p", { class: "small" }, text("joinableHint")),
          element("ul", { class: "cards" }, joinable.map((mandate) => element("li", {}, joinCard(mandate, draw)))),
        ]
      : "",
  );
}

function card(mandate, draw, page) {
  const made = element(
    "button",
    { class: "card", type: "button", onclick: () => enter(mandate, draw, page) },
    element("span", { class: "name" }, mandate.name),
    element("span", { class: "small" }, mandate.slug, mandate.wants ? ` · ${text("asksForMore")}` : ""),
  );
  made.style.setProperty("--mandate", mandate.color);
  return made;
}

/** The proven address is one of the mandate's: whoever says so becomes a member. */
function joinCard(mandate, draw) {
  const join = async () => {
    await call("POST", `/mandates/joinable/${mandate.id}/join`);
    enter(mandate, draw);
  };
  const made = element(
    "div",
    { class: "card panel" },
    element("strong", { class: "name" }, mandate.name),
    element("span", { class: "small" }, mandate.slug),
    deeds(action(text("join"), join, { "aria-label": text("joinWhat", { mandate: mandate.name }) })),
  );
  made.style.setProperty("--mandate", mandate.color);
  return made;
}

function enter(mandate, draw, page) {
  const address = page ? `#/m/${mandate.slug}/${page}` : `#/m/${mandate.slug}`;
  if (location.hash === address) draw();
  else location.hash = address;
}

/** `refusal` says what the mandate wants of a sign-in that this one lacks; this offers it. */
export async function drawUnmetPolicy(mandate, refusal, draw) {
  const { wanted, accepted = [] } = refusal.problem;
  const factors = wanted === "mfa" || wanted === "recent" ? await call("GET", "/auth/factors") : null;
  return sheet(
    text("policyTitle", { mandate: mandate.name }),
    element("p", {}, hasText(`policy_${wanted}`) ? text(`policy_${wanted}`, { accepted: accepted.join(", ") }) : refusal.message),
    factors ? confirming(wanted, factors, draw) : signingIn(mandate, wanted, accepted, draw),
    way(text("anotherMandate"), "#/"),
  );
}

/** The sign-in will do once it is confirmed. */
function confirming(wanted, factors, draw) {
  const second = [factors.totp_since && "totp", factors.passkeys && "passkey", factors.backup_codes_left && "backup_code"].filter(Boolean);
  if (wanted === "mfa" && !second.length) {
    return [element("p", {}, text("policy_mfa_none")), element("p", { class: "submit" }, element("a", { href: "#/account", class: "button wide" }, text("toAccount")))];
  }
  const byTwo = wanted === "mfa" || factors.totp_since || factors.passkeys;
  const usable = byTwo ? second : [...second, ...(factors.password ? ["password"] : [])];
  const confirm = async () => (await confirmItIsYou(usable)) && draw();
  return element("div", { class: "submit" }, action(text("confirm"), confirm, { class: "wide" }));
}

/** Another sign-in is wanted; it takes the place of this one. */
function signingIn(mandate, wanted, accepted, draw) {
  const suits = {
    authorities: (method) => accepted.includes(method.name) || (accepted.includes("local") && ["password", "passkey"].includes(method.kind)),
    microsoft_tenants: (method) => method.name === "microsoft",
    email_domains: (method) => ["provider", "magic_link"].includes(method.kind),
    sign_in: (method) => accepted.includes(method.name),
  }[wanted];
  const made = element("div");
  const show = async () => {
    place.leave();
    place.wanted = `#/m/${mandate.slug}`;
    const page = await drawSignIn(draw, null, { only: suits, confirm: wanted === "sign_in" });
    page.querySelector("h1").remove();
    made.replaceChildren(...page.childNodes);
  };
  made.append(element("div", { class: "submit" }, action([icon("key"), text(wanted === "sign_in" ? "signIn" : "policySignIn")], show, { class: "wide" })));
  return made;
}
