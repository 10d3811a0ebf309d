// Builds elements. Text only ever becomes a text node, so nothing from a server or a person is read as markup.

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

/** A labelled input. */
export function field(label, attributes) {
  const id = `field-${++fields}`;
  return element("p", { class: "field" }, element("label", { for: id }, label), element("input", { id, required: true, ...attributes }));
}

/** A form that calls `submit` with its values, is busy meanwhile, and shows what went wrong above its button. */
export function form(submit, label, ...children) {
  const problem = element("div", { role: "alert" });
  const button = element("button", { type: "submit" }, label);
  const made = element("form", { novalidate: false }, children, problem, element("p", {}, button));
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    problem.replaceChildren();
    try {
      await submit(Object.fromEntries(new FormData(made)), made);
    } catch (error) {
      problem.replaceChildren(describe(error));
    } finally {
      button.disabled = false;
    }
  });
  return made;
}

/** A refusal for people: what happened, then its code and the id to quote when asking somebody. */
export function describe(error) {
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
