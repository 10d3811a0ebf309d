// Small pictures beside words. They say nothing the words do not, so screen readers pass over them.

const SVG = "http://www.w3.org/2000/svg";

/** Lines on a 24 × 24 ground, in the colour of the text; with a second member, areas of that colour. */
const DRAWINGS = {
  google: [
    ["M21.6 12.2c0-.7-.1-1.4-.2-2H12v3.9h5.4a4.6 4.6 0 0 1-2 3v2.5h3.2c1.9-1.7 3-4.3 3-7.4z", "#4285f4"],
    ["M12 22c2.7 0 5-.9 6.6-2.4l-3.2-2.5c-.9.6-2 1-3.4 1-2.6 0-4.8-1.8-5.6-4.1H3.1v2.6A10 10 0 0 0 12 22z", "#34a853"],
    ["M6.4 13.9a6 6 0 0 1 0-3.8V7.5H3.1a10 10 0 0 0 0 9z", "#fbbc05"],
    ["M12 5.9c1.5 0 2.8.5 3.8 1.5l2.9-2.9A10 10 0 0 0 3.1 7.5l3.3 2.6C7.2 7.7 9.4 5.9 12 5.9z", "#ea4335"],
  ],
  microsoft: [
    ["M2 2h9.5v9.5H2z", "#f25022"],
    ["M12.5 2H22v9.5h-9.5z", "#7fba00"],
    ["M2 12.5h9.5V22H2z", "#00a4ef"],
    ["M12.5 12.5H22V22h-9.5z", "#ffb900"],
  ],
  provider: [["M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM3 12h18M12 3c3 3 3 15 0 18M12 3c-3 3-3 15 0 18"]],
  mail: [["M3 5.5h18v13H3zM3 6.5l9 7 9-7"]],
  passkey: [["M9 3.5a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM2.5 20.5v-2a5 5 0 0 1 5-5h4M18 10a3 3 0 0 0-1.2 5.7v5.8h2.4v-2l1.3-1-1.3-1.2v-1.6A3 3 0 0 0 18 10z"]],
  password: [["M5 11h14v9.5H5zM8 11V7.5a4 4 0 0 1 8 0V11M12 14.5v2.5"]],
  app: [["M7 2.5h10v19H7zM10.5 18.5h3"]],
  codes: [["M4 4.5h16v15H4zM8 9h3M8 12h3M8 15h3M14 9h2M14 12h2M14 15h2"]],
  device: [["M4 4.5h16v11H4zM9 20h6M12 15.5V20"]],
  key: [["M8 11.5a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM11 13l8.5-8.5M16 8l2.5 2.5M18.5 5.5L21 8"]],
  mandate: [["M4 20.5v-14l8-3 8 3v14zM9 20.5v-5h6v5M8.5 9.5h1M14.5 9.5h1"]],
};

/** The picture of this name. */
export function icon(name) {
  const picture = part("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true", focusable: "false" });
  for (const [path, colour] of DRAWINGS[name]) picture.append(part("path", colour ? { d: path, fill: colour, stroke: "none" } : { d: path }));
  return picture;
}

/** The picture of a way to sign in. */
export function iconOf(method) {
  if (method in DRAWINGS) return icon(method);
  return icon({ local: "password", magic_link: "mail" }[method] || "provider");
}

function part(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
