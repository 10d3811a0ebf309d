// Builds elements. Text only ever becomes a text node, so nothing from a server or a person is read as markup.

import { Cancelled } from "./api.js";
import { choices } from "./tab.js";
import { text } from "./texts.js";

/** An element; `attributes` whose name begins with `on` are listeners, `true` is a bare attribute, null and false are none. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

let fields = 0;

/** A labelled input; `hint` is a sentence below it. */
export function field(label, attributes, hint) {
  const id = `field-${++fields}`;
  return element(
    "div",
    { class: "field" },
    element("label", { for: id }, label),
    element("input", { id, required: true, "aria-describedby": hint ? `${id}-hint` : null, ...attributes }),
    hint ? element("p", { class: "small", id: `${id}-hint` }, hint) : null,
  );
}

/** A labelled choice; `options` are pairs of value and label. */
export function choice(label, name, options) {
  const id = `field-${++fields}`;
  const made = options.map(([value, words]) => element("option", { value }, words));
  return element("div", { class: "field" }, element("label", { for: id }, label), element("select", { id, name }, made));
}

/** A form that calls `submit` with its values, is busy meanwhile, and shows what went wrong above its button. */
export function form(submit, label, ...children) {
  const problem = element("div", { role: "alert" });
  const button = element("button", { type: "submit" }, label);
  const made = element("form", {}, children, problem, element("div", { class: "submit" }, button));
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    for (const input of made.elements) input.removeAttribute("aria-invalid");
    const refusal = await whileBusy(button, problem, () => submit(Object.fromEntries(new FormData(made)), made));
    if (refusal) blame(made, refusal.places || []);
  });
  return made;
}

/** A button that calls `run`, is busy meanwhile, and shows what went wrong at the end of the part it belongs to. */
export function action(label, run, attributes = {}) {
  const button = element("button", { type: "button", class: "quiet", ...attributes }, label);
  button.addEventListener("click", () => {
    const around = button.closest("dialog .content, .panel, .others, .sheet") || button.parentElement;
    const problem = around.querySelector(":scope > [role=alert]") || around.appendChild(element("div", { role: "alert" }));
    whileBusy(button, problem, () => run(button));
  });
  return button;
}

/** Runs once, however often it is pressed meanwhile. Answers what went wrong, which is shown in `problem`. */
async function whileBusy(button, problem, run) {
  if (button.disabled) return null;
  button.disabled = true;
  button.setAttribute("aria-busy", "true");
  problem.replaceChildren();
  try {
    await run();
    return null;
  } catch (error) {
    if (error instanceof Cancelled) return null;
    problem.replaceChildren(describe(error));
    return error;
  } finally {
    button.disabled = false;
    button.removeAttribute("aria-busy");
    if (document.activeElement === document.body) button.focus(); // a disabled button loses the focus
  }
}

/** Mark the fields a refusal speaks of, and go to the first. */
function blame(made, places) {
  const named = places.map((place) => made.elements.namedItem((place.pointer || "").split("/")[1])).filter((each) => each?.name);
  for (const input of named) input.setAttribute("aria-invalid", "true");
  if (named.length) named[0].focus();
}

/** A page of one column on a sheet of its own. */
export function sheet(title, ...children) {
  return element("div", { class: "sheet" }, element("h1", {}, title), children);
}

/** A sentence worth noting. */
export function note(...words) {
  return element("p", { class: "note", role: "status" }, words);
}

/** A way on, as a sentence below a form. */
export function way(label, href) {
  return element("p", { class: "way" }, element("a", { href }, label));
}

/** A moment for people, in their language and zone. */
export function moment(iso, withTime = true) {
  const style = withTime ? { dateStyle: "medium", timeStyle: "short" } : { dateStyle: "medium" };
  const spoken = navigator.languages.find((each) => each.startsWith(choices.language)) || choices.language;
  return element("time", { datetime: iso }, new Intl.DateTimeFormat(spoken, style).format(new Date(iso)));
}

/** What the browser itself says about a passkey, in words. */
const OF_BROWSER = { NotAllowedError: "passkeyCancelled", InvalidStateError: "passkeyThere", SecurityError: "passkeyNotHere" };

/** A refusal for people: what happened, then its code and the id to quote when asking somebody. */
export function describe(error) {
  const known = error instanceof DOMException ? OF_BROWSER[error.name] : undefined;
  if (known) return element("div", { class: "problem" }, element("p", {}, text(known)));
  if (!error.code) console.error(error);
  const places = (error.places || []).map((place) => place.detail).filter((detail) => detail && detail !== error.message);
  return element(
    "div",
    { class: "problem" },
    element("p", {}, error.message),
    places.length ? element("ul", {}, places.map((detail) => element("li", {}, detail))) : null,
    element("p", { class: "small" }, element("code", {}, error.code || "error"), error.requestId ? ` · ${error.requestId}` : ""),
  );
}
