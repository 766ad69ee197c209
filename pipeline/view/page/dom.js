// Elements and text. What a model wrote only ever becomes text nodes: nothing here, or in any other file, makes markup of
// a string, and the page's policy (require-trusted-types-for) would refuse it.

const SVG = "http://www.w3.org/2000/svg";

// Signs that hide, or turn the direction of writing: controls but newline and tab, C1, marks and overrides of direction,
// what has no width, halves of surrogate pairs.
const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u2069\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

function picture(sign) {
  const code = sign.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  if (code === 0x7f) return "\u2421";
  return "U+" + code.toString(16).toUpperCase().padStart(4, "0");
}

// Text nodes of a string, in which each hidden sign is shown by a picture of it.
export function visible(text) {
  const nodes = [];
  let start = 0;
  for (const found of text.matchAll(HIDDEN)) {
    if (found.index > start) nodes.push(document.createTextNode(text.slice(start, found.index)));
    const mark = document.createElement("span");
    mark.className = "hidden-sign";
    mark.textContent = picture(found[0]);
    nodes.push(mark);
    start = found.index + 1;
    if (nodes.length > 20000) break; // a text of nothing else: the rest as it is
  }
  if (start < text.length) nodes.push(document.createTextNode(text.slice(start)));
  return nodes;
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    if (child instanceof Node) element.append(child);
    else element.append(...visible(String(child)));
  }
  return element;
}

// h("a.name", {href, onclick, ...}, children): an element. Keys that begin with "on" are listeners, `data` a dataset.
export function h(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "value" || key === "checked" || key === "open") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  return append(element, children);
}

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return append(element, children);
}

export const number = (value) => (value === null || value === undefined ? "–" : value.toLocaleString("en"));
export const percent = (value) => (value === null || value === undefined ? "–" : (value * 100).toFixed(1) + "%");
export const dollars = (value) => (value ? "$" + value.toFixed(value < 1 ? 4 : 2) : "$0");

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 60) return seconds.toFixed(1) + " s";
  if (seconds < 3600) return (seconds / 60).toFixed(1) + " min";
  return (seconds / 3600).toFixed(1) + " h";
}

// A link within the page: every part is encoded, so no name or text can lead elsewhere.
export function to(parts, given = {}) {
  const query = new URLSearchParams(Object.entries(given).filter(([, value]) => value !== "" && value != null));
  const text = query.toString();
  return "#/" + parts.map(encodeURIComponent).join("/") + (text ? "?" + text : "");
}
