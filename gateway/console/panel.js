// The sections of “My account” and of the data connections: each loads its own part, and draws itself anew after a change.

import { describe, element } from "./dom.js";
import { text } from "./texts.js";

let panels = 0;

/** A section. `load(refresh)` answers its content; `refresh()` draws it anew and leaves the focus on its heading. */
export function panel(title, hint, load, attributes = {}) {
  const id = `panel-${++panels}`;
  const heading = element("h2", { id, tabindex: "-1" }, title);
  const content = element("div", { "aria-busy": "true" });
  let drawn = false;
  const refresh = async () => {
    const parts = await load(refresh).catch((error) => describe(error));
    const lost = drawn && (content.contains(document.activeElement) || document.activeElement === document.body);
    drawn = true;
    content.replaceChildren(...[parts].flat(Infinity).filter(Boolean));
    content.removeAttribute("aria-busy");
    if (lost) heading.focus(); // what had the focus is gone
  };
  refresh();
  return element("section", { class: "panel", "aria-labelledby": id, ...attributes }, heading, hint ? element("p", { class: "small" }, hint) : "", content);
}

/** What there is, one below the other; `empty` when there is nothing. */
export function listing(rows, empty) {
  return rows.length ? element("ul", { class: "rows" }, rows) : element("p", { class: "empty" }, empty);
}

/** One of them: a picture, its name, what is to be said about it, and what can be done with it. */
export function row(picture, name, facts, ...buttons) {
  const told = facts.filter(Boolean).flatMap((fact, place) => (place ? [" · ", fact] : [fact]));
  return element(
    "li",
    {},
    picture,
    element("div", { class: "about" }, element("strong", {}, name), element("span", { class: "small" }, told)),
    element("div", { class: "does" }, buttons),
  );
}

/** What can be done with all of it. */
export function deeds(...buttons) {
  return element("div", { class: "deeds" }, buttons);
}

/** A tag beside a name; a `bad` one wants something done. */
export function tag(words, isBad = false) {
  return element("span", { class: isBad ? "tag bad" : "tag" }, words);
}

/** A fact with its moment. */
export function since(name, time) {
  return element("span", {}, text(name), " ", time);
}
