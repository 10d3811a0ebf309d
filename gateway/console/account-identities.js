// The sign-ins at providers that belong to the account, and the one that waits in this browser.

import { call } from "./api.js";
import { askSure } from "./dialog.js";
import { action, element, moment } from "./dom.js";
import { iconOf } from "./icons.js";
import { deeds, listing, panel, row, since } from "./panel.js";
import { offer, place } from "./tab.js";
import { text } from "./texts.js";
import { leaveFor } from "./providers.js";

export function drawIdentities(methods) {
  return panel(text("linked"), text("linkedHint"), async (refresh) => {
    const { items, offered } = await call("GET", "/auth/identities");
    const linked = new Set(items.map((each) => each.provider));
    const others = methods.methods.filter((method) => method.kind === "provider" && !linked.has(method.name));
    return [
      offered ? waiting(offered, refresh) : "",
      listing(items.map((each) => identityRow(each, refresh)), text("linkedNone")),
      others.length ? deeds(others.map(linkButton)) : "",
    ];
  }, { id: "identities" });
}

function identityRow(identity, refresh) {
  const name = identity.display_name;
  const unlink = async () => {
    const run = () => call("DELETE", `/auth/identities/${identity.id}`);
    if (await askSure(text("unlinkWhat", { name }), text("unlinkSure", { name }), text("unlink"), run)) await refresh();
  };
  return row(
    iconOf(identity.provider),
    name,
    [identity.email, since("linkedSince", moment(identity.linked_at, false)), since("used", moment(identity.last_used_at))],
    action(text("unlink"), unlink, { "aria-label": text("unlinkWhat", { name }) }),
  );
}

function linkButton(method) {
  const link = () => {
    place.wanted = "#/account";
    return leaveFor(`/auth/${encodeURIComponent(method.name)}/link`, {});
  };
  return action([iconOf(method.name), text("link", { name: method.display_name })], link);
}

function waiting({ display_name: name, email, email_proven: proven }, refresh) {
  const connect = async () => {
    await call("POST", "/auth/identities");
    offer.forget();
    await refresh();
  };
  const words = email && !proven ? text("offeredUnproven", { name, email }) : text("offered", { provider: email ? `${name} (${email})` : name });
  return element("div", { class: "note" }, element("p", {}, words), action(text("connect"), connect));
}
