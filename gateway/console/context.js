// What this tab's context may do: asked of the server for this very request, never remembered.

import { Refusal, call } from "./api.js";
import { element } from "./dom.js";
import { drawInvoices, drawPettyCash } from "./invoices.js";
import { place } from "./tab.js";
import { text } from "./texts.js";

const ACTIONS = ["view", "create", "read", "update", "delete"];
const LEVELS = { none: "levelNone", my: "levelMy", group: "levelGroup", all: "levelAll" };
const SIGHT = { none: "levelNone", all: "levelYes" };

/** How far this person's rights reach: `none`, `my`, `group` or `all`. */
export function levelOf(context, item, action) {
  const found = context.permissions.find((each) => each.item === item);
  return (found && found.levels[action]) || "none";
}

/** The page of a tab that works in `mandate`. */
export async function drawContext(mandate, context, draw) {
  const level = (item, action) => levelOf(context, item, action);
  const may = (item, action) => level(item, action) !== "none";
  const parts = [
    element("h1", {}, mandate.name),
    await drawPerson(context, may, draw),
    may("invoices", "read") ? await drawInvoices(context, level) : "",
    context.instance && may("petty-cash", "read") ? await drawPettyCash(context, level) : "",
    drawPermissions(context, draw),
  ];
  return element("div", {}, parts);
}

/** What the caller is and may here. An instance that cannot be entered any more is left. */
export async function readContext() {
  try {
    return await call("GET", "/context");
  } catch (error) {
    if (!(error instanceof Refusal && place.instance && /^instance_/.test(error.code))) throw error;
    place.enterInstance(null);
    return call("GET", "/context");
  }
}

async function drawPerson(context, may, draw) {
  const names = (list) => list.map((each) => each.name).join(", ") || text("none");
  const pairs = [
    [text("you"), `${context.user.display_name} (${context.user.email})`],
    [text("via"), text(context.via)],
    [text("roles"), names(context.roles)],
    [text("groups"), names(context.groups)],
  ];
  return element(
    "section",
    {},
    element("dl", {}, pairs.flatMap(([term, value]) => [element("dt", {}, term), element("dd", {}, value)])),
    may("instances", "read") ? await drawInstances(context, draw) : "",
  );
}

async function drawInstances(context, draw) {
  const { items } = await call("GET", "/instances");
  if (!items.length) return "";
  const choice = element("select", { id: "instance" }, element("option", { value: "" }, text("noInstance")), items.map(option));
  choice.value = context.instance ? context.instance.id : "";
  choice.addEventListener("change", () => {
    place.enterInstance(choice.value || null);
    draw();
  });
  return element("p", { class: "field" }, element("label", { for: "instance" }, text("instance")), choice);
}

function option(instance) {
  return element("option", { value: instance.id }, `${instance.name} (${instance.feature})`);
}

function drawPermissions(context, draw) {
  const rows = context.permissions.flatMap((each) => [
    permissionRow(each.item, each.kind, each.levels),
    ...Object.entries(each.fields).map(([field, levels]) => permissionRow(`${each.item}.${field}`, each.kind, levels)),
  ]);
  const head = [text("item"), "", ...ACTIONS.map((action) => text(action))].map((label) => element("th", { scope: "col" }, label));
  return element(
    "section",
    {},
    element("h2", {}, text("mayDo")),
    element("div", { class: "scroll", tabindex: "0" }, element("table", { id: "permissions" }, element("thead", {}, element("tr", {}, head)), element("tbody", {}, rows))),
    element("p", {}, element("button", { type: "button", class: "quiet", "data-action": "reload", onclick: () => draw() }, text("reload"))),
  );
}

function permissionRow(item, kind, levels) {
  const cells = ACTIONS.map((action) => {
    const level = levels[action];
    return element("td", { class: level ? `level-${level}` : "level-none", "data-level": level || null }, level ? text((action === "view" ? SIGHT : LEVELS)[level]) : "");
  });
  return element("tr", { "data-item": item }, element("th", { scope: "row" }, item), element("td", { class: "small" }, kind), cells);
}
