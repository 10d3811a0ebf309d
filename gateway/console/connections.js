// The accounts at providers that people lend to a mandate: connected and ended here. Their tokens never come to a page.

import { call } from "./api.js";
import { levelOf } from "./context.js";
import { askForm, askSure } from "./dialog.js";
import { action, choice, element, moment, note } from "./dom.js";
import { iconOf } from "./icons.js";
import { deeds, listing, panel, row, since, tag } from "./panel.js";
import { depart } from "./providers.js";
import { place } from "./tab.js";
import { hasText, text } from "./texts.js";

/** The providers whose data can be connected here; none for whoever may not see connections. */
export async function listProviders(context) {
  return levelOf(context, "connections", "read") === "none" ? [] : (await call("GET", "/connections/providers")).items;
}

/** The page of a tab that works in `mandate`. */
export function drawConnections(mandate, context, providers) {
  const reach = levelOf(context, "connections", "read");
  return element(
    "div",
    { class: "account" },
    element("p", { class: "way-back" }, element("a", { href: `#/m/${mandate.slug}` }, `← ${text("toMandate", { mandate: mandate.name })}`)),
    element("h1", {}, text("connections")),
    element("p", { class: "small" }, text("connectionsHint", { mandate: mandate.name })),
    drawOwn(mandate, context, providers),
    reach === "group" || reach === "all" ? drawOthers(context, text(reach === "all" ? "connectionsOfAll" : "connectionsOfGroups")) : "",
  );
}

function drawOwn(mandate, context, providers) {
  const mayConnect = context.via === "membership" && levelOf(context, "connections", "create") !== "none";
  return panel(text("connectionsOwn"), text("connectionsOwnHint"), async (refresh) => {
    const { items } = await call("GET", "/connections?own=true&sort=provider&limit=200");
    const offered = new Map((mayConnect ? providers : []).map((each) => [each.name, each]));
    const rows = items.map((each) => {
      const again = each.state === "broken" && offered.get(each.provider);
      return connectionRow(context, each, refresh, again ? connectButton(mandate, again, each) : "");
    });
    for (const { provider } of items) offered.delete(provider);
    return [
      outcome(items),
      listing(rows, text(providers.length ? "connectionsNone" : "connectionsNotOffered")),
      offered.size ? deeds([...offered.values()].map((each) => connectButton(mandate, each))) : "",
    ];
  }, { id: "own-connections" });
}

function drawOthers(context, hint) {
  return panel(text("connectionsOthers"), hint, async (refresh) => {
    const asRow = (each) => connectionRow(context, each, refresh);
    let { others, next } = await readOthers(context.user.id);
    const list = listing(others.map(asRow), text("connectionsOthersNone"));
    const more = action(text("showMore"), async () => {
      ({ others, next } = await readOthers(context.user.id, next));
      const rows = others.map(asRow);
      list.append(...rows);
      if (!next) more.parentElement.remove();
      rows[0]?.querySelector("button")?.focus();
    });
    return [list, next ? deeds(more) : ""];
  }, { id: "other-connections" });
}

/** The next page on which there is one of somebody else. */
async function readOthers(userId, cursor) {
  const after = cursor ? `&cursor=${encodeURIComponent(cursor)}` : "";
  const { items, next_cursor: next } = await call("GET", `/connections?sort=provider${after}`);
  const others = items.filter((each) => each.user_id !== userId);
  return others.length || !next ? { others, next } : readOthers(userId, next);
}

function connectionRow(context, connection, refresh, ...buttons) {
  const { id, display_name: provider, account, state } = connection;
  const name = account ? `${provider} (${account})` : provider;
  const mine = connection.user_id === context.user.id;
  const remove = async () => {
    const run = () => call("DELETE", `/connections/${id}`);
    if (await askSure(text("removeWhat", { name }), text("connectionRemoveSure"), text("remove"), run)) await refresh();
  };
  const reach = levelOf(context, "connections", "delete");
  const mayRemove = mine ? reach !== "none" : reach === "group" || reach === "all";
  return row(
    iconOf(connection.provider),
    [provider, " ", tag(text(`connection_${state}`), state === "broken")],
    [
      hasText(`connection_${state}_why`) ? text(`connection_${state}_why`) : "",
      account,
      text(connection.offline ? "connectionAlways" : "connectionWhileHere"),
      since("linkedSince", moment(connection.created_at, false)),
      since("connectionRenewed", moment(connection.refreshed_at)),
      element("code", {}, connection.scopes.join(" ")),
    ],
    buttons,
    mayRemove ? action(text("remove"), remove, { "aria-label": text("removeWhat", { name }) }) : "",
  );
}

/** Connects an account of `provider`, in the place of the one connected `before`. */
function connectButton(mandate, provider, before) {
  const name = provider.display_name;
  const title = text(before ? "connectAgainWhat" : "link", { name });
  const connect = () => askForm(
    title,
    text("connectGo", { name }),
    async ({ offline }) => {
      const { url } = await call("POST", `/connections/${encodeURIComponent(provider.name)}`, { offline: offline === "always" });
      place.connecting = { provider: provider.name, before: before?.id };
      return depart(url);
    },
    element("p", {}, text("connectAbout", { name, mandate: mandate.name })),
    element("p", { class: "small" }, text("connectScopes"), " ", element("code", {}, provider.scopes.join(" "))),
    choice(text("connectWhen"), "offline", [["here", text("connectWhileHere")], ["always", text("connectAlways")]]),
  );
  return before
    ? action(text("connectAgain"), connect, { "aria-label": title })
    : action([iconOf(provider.name), title], connect);
}

/** What came of the way to a provider that this tab has gone, once. */
function outcome(items) {
  const gone = place.connecting;
  place.connecting = null;
  if (!gone) return "";
  if (gone.refused) return refusal(gone.refused);
  const made = items.find((each) => each.provider === gone.provider && each.id !== gone.before);
  return made ? note(text("connectionMade", { name: made.display_name })) : "";
}

function refusal(code) {
  const name = `connectionRefused_${code}`;
  return element(
    "div",
    { class: "problem", role: "alert" },
    element("p", {}, text(hasText(name) ? name : "connectionRefused_unknown")),
    element("p", { class: "small" }, element("code", {}, code)),
  );
}
