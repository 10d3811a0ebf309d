// API keys: made for programs, shown once, ended.

import { call } from "./api.js";
import { askForm, askSure, copyButton, showOnce } from "./dialog.js";
import { action, choice, element, field, moment } from "./dom.js";
import { icon } from "./icons.js";
import { deeds, listing, panel, row, since } from "./panel.js";
import { text } from "./texts.js";

const DAY = 86_400_000;
const SCOPES = { read: ["*:read"], all: ["*"] };

export function drawApiKeys() {
  return panel(text("keys"), text("keysHint"), async (refresh) => {
    const [{ items }, mandates] = await Promise.all([call("GET", "/users/me/api-keys"), call("GET", "/mandates")]);
    const add = async () => {
      const made = await askForm(text("keyAdd"), text("keyAdd"), (values) => call("POST", "/users/me/api-keys", wanted(values)), fields(mandates.items));
      if (!made) return;
      await refresh();
      await showKey(made);
    };
    return [listing(items.map((each) => keyRow(each, mandates.items, refresh)), text("keysNone")), deeds(action(text("keyAdd"), add))];
  }, { id: "api-keys" });
}

function keyRow(key, mandates, refresh) {
  const { id, name } = key;
  const remove = async () => {
    if (await askSure(text("removeWhat", { name }), text("removeSure", { name }), text("remove"), () => call("DELETE", `/users/me/api-keys/${id}`))) await refresh();
  };
  const over = Date.parse(key.expires_at) < Date.now();
  return row(
    icon("key"),
    name,
    [
      element("code", {}, key.scopes.join(" ")),
      key.mandate_id ? (mandates.find((each) => each.id === key.mandate_id) || { name: key.mandate_id }).name : "",
      since(over ? "keyEnded" : "keyUntil", moment(key.expires_at, false)),
      key.last_used_at ? since("used", moment(key.last_used_at)) : text("neverUsed"),
    ],
    action(text("remove"), remove, { "aria-label": text("removeWhat", { name }) }),
  );
}

function fields(mandates) {
  const scopes = field(text("keyScopes"), { name: "scopes", required: false, spellcheck: "false", autocapitalize: "off", autocomplete: "off" }, text("keyScopesHint"));
  const may = choice(text("keyMay"), "may", [["read", text("keyMayRead")], ["all", text("keyMayAll")], ["scopes", text("keyMayScopes")]]);
  const show = () => {
    const chosen = may.querySelector("select").value === "scopes";
    scopes.hidden = !chosen;
    scopes.querySelector("input").required = chosen;
  };
  may.addEventListener("change", show);
  show();
  return [
    field(text("keyName"), { name: "name", maxlength: 100, autocomplete: "off" }),
    may,
    scopes,
    choice(text("keyWhere"), "mandate_id", [["", text("keyEverywhere")], ...mandates.map((each) => [each.id, each.name])]),
    choice(text("keyEnds"), "days", [...[90, 7, 30].map((count) => [count, text("keyDays", { count })]), ["", text("keyLongest")]]),
  ];
}

function wanted({ name, may, scopes, mandate_id: mandate, days }) {
  return {
    name,
    scopes: SCOPES[may] || scopes.split(/[\s,]+/).filter(Boolean),
    mandate_id: mandate || null,
    expires_at: days ? new Date(Date.now() + Number(days) * DAY).toISOString() : null,
  };
}

function showKey(made) {
  return showOnce(
    text("keyMade"),
    element("p", {}, text("keyOnce")),
    element("p", { class: "secret" }, element("code", { id: "new-api-key" }, made.key), copyButton(made.key)),
  );
}
