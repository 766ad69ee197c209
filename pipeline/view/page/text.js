// Texts as a person reads them: code coloured, Markdown as it is written, two texts as a difference. Every loop here is
// linear in the text but the difference, which is bounded: a hostile text can be long, but not slow.

import { h, visible } from "./dom.js";

const COLOURED = 60000; // characters that are coloured; the rest of a text is plain
const LONGEST = 200000; // characters that are shown before "show all"

const KEYWORDS = new Set(
  ("and as assert async await break class continue def del elif else except finally for from global if import in is " +
    "lambda nonlocal not or pass raise return try while with yield match case True False None").split(" "),
);
const TOKEN =
  /(#[^\n]*)|((?:[rbfuRBFU]{0,2})(?:"(?:[^"\\\n]|\\[^])*(?:"|(?=\n)|$)|'(?:[^'\\\n]|\\[^])*(?:'|(?=\n)|$)))|(\d[\w.]*)|([\p{L}_][\p{L}\p{N}_]*)|(\s+)|([^])/uy;
const TRIPLE = /[rbfuRBFU]{0,2}("""|''')/y;

// [class, text] pairs of Python.
function* python(text) {
  let place = 0;
  let after = "";
  while (place < text.length) {
    TRIPLE.lastIndex = place;
    const triple = TRIPLE.exec(text);
    if (triple) {
      const end = text.indexOf(triple[1], TRIPLE.lastIndex);
      const stop = end < 0 ? text.length : end + 3;
      yield ["s", text.slice(place, stop)];
      place = stop;
      continue;
    }
    TOKEN.lastIndex = place;
    const found = TOKEN.exec(text);
    if (!found) {
      yield ["", text.slice(place)];
      return;
    }
    const [whole, comment, string, digits, word, blank] = found;
    if (comment) yield ["c", comment];
    else if (string) yield ["s", string];
    else if (digits) yield ["m", digits];
    else if (word) yield [KEYWORDS.has(word) ? "k" : after === "def" || after === "class" ? "f" : "", word];
    else yield ["", whole];
    if (!blank) after = word || "";
    place = TOKEN.lastIndex;
  }
}

// Markdown: headings and fences are set apart, what is in a fence is coloured.
function* markdown(text) {
  let code = null;
  for (const line of text.split(/(?<=\n)/)) {
    const fence = /^\s{0,3}(```|~~~)/.test(line);
    if (fence && code === null) {
      yield ["c", line];
      code = "";
    } else if (fence) {
      yield* python(code);
      yield ["c", line];
      code = null;
    } else if (code !== null) code += line;
    else yield [/^#{1,6} /.test(line) ? "h" : "", line];
  }
  if (code) yield* python(code);
}

function coloured(pre, text, language) {
  const head = text.slice(0, COLOURED);
  let plain = "";
  const flush = () => {
    pre.append(...visible(plain));
    plain = "";
  };
  for (const [kind, part] of (language === "markdown" ? markdown : python)(head)) {
    if (!kind) plain += part;
    else {
      flush();
      pre.append(h("span." + kind, {}, part));
    }
  }
  plain += text.slice(COLOURED);
  flush();
}

// A block of text. language: "python", "markdown" or "" for plain.
export function block(text, language = "", label = "") {
  const pre = h(language === "python" ? "pre.code" : "pre.code.wrap", { tabindex: 0, "aria-label": label || null, dir: "ltr" });
  const shown = text.slice(0, LONGEST);
  if (language) coloured(pre, shown, language);
  else pre.append(...visible(shown));
  if (!text) pre.append(h("span.soft", {}, "(empty)"));
  return pre;
}

const MOST_LINES = 3000; // lines of either text, beyond what both begin and end with, that are compared

// Rows [mark, line, other] with mark " ", "-" or "+": the lines of `a` and `b`, by their longest common subsequence.
export function difference(a, b) {
  const [one, two] = [a, b].map((text) => text.replace(/\n$/, "").split("\n"));
  let head = 0;
  while (head < one.length && head < two.length && one[head] === two[head]) head++;
  let tail = 0;
  while (tail < one.length - head && tail < two.length - head && one[one.length - 1 - tail] === two[two.length - 1 - tail])
    tail++;
  const [left, right] = [one.slice(head, one.length - tail), two.slice(head, two.length - tail)];
  const rows = one.slice(0, head).map((line) => [" ", line]);
  if (left.length > MOST_LINES || right.length > MOST_LINES || left.length * right.length > 4e6) {
    rows.push(...left.map((line) => ["-", line]), ...right.map((line) => ["+", line]));
  } else {
    const width = right.length + 1;
    const lengths = new Uint16Array((left.length + 1) * width);
    for (let i = left.length - 1; i >= 0; i--)
      for (let j = right.length - 1; j >= 0; j--)
        lengths[i * width + j] =
          left[i] === right[j]
            ? lengths[(i + 1) * width + j + 1] + 1
            : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
    let [i, j] = [0, 0];
    while (i < left.length || j < right.length) {
      if (i < left.length && j < right.length && left[i] === right[j]) {
        rows.push([" ", left[i]]);
        i++;
        j++;
      } else if (i < left.length && (j === right.length || lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]))
        rows.push(["-", left[i++]]);
      else rows.push(["+", right[j++]]);
    }
  }
  rows.push(...one.slice(one.length - tail).map((line) => [" ", line]));
  return rows;
}

// What two lines do not share, between what both begin and end with.
function middle(line, other) {
  let start = 0;
  const most = Math.min(line.length, other.length);
  while (start < most && line[start] === other[start]) start++;
  let end = 0;
  while (end < most - start && line[line.length - 1 - end] === other[other.length - 1 - end]) end++;
  return [line.slice(0, start), line.slice(start, line.length - end), line.slice(line.length - end)];
}

// Two texts as one block: lines taken out of the first and put in by the second, what differs within a line marked.
export function differenceBlock(a, b, label) {
  const rows = difference(a, b);
  const pre = h("pre.code.diff.wrap", { tabindex: 0, "aria-label": label, dir: "ltr" });
  for (let place = 0; place < rows.length; ) {
    if (rows[place][0] === " ") {
      pre.append(h("span.same", {}, "  " + rows[place++][1] + "\n"));
      continue;
    }
    const out = [];
    const into = [];
    while (place < rows.length && rows[place][0] === "-") out.push(rows[place++][1]);
    while (place < rows.length && rows[place][0] === "+") into.push(rows[place++][1]);
    const marked = (line, other, name) => {
      const [head, own, rest] = other === undefined ? ["", line, ""] : middle(line, other);
      return h("span." + (name === "-" ? "out" : "into"), {}, name + " " + head, other === undefined ? own : h("b", {}, own), rest + "\n");
    };
    out.forEach((line, n) => pre.append(marked(line, out.length === into.length ? into[n] : undefined, "-")));
    into.forEach((line, n) => pre.append(marked(line, out.length === into.length ? out[n] : undefined, "+")));
  }
  return pre;
}

// What a person reads of a row: as `text_of` of the report.
export function textOf(row) {
  switch (row.type) {
    case "image":
      return `${row.source} (${row.split}): ${row.class || "no label"}`;
    case "guess":
      return `${row.method} of ${row.features}: ${row.guessed}, is ${row.class}`;
    case "exercise":
      return (row.prompt || "") + (row.solution || "");
    case "prompt":
      return (row.messages || []).map((one) => `[${one.role}]\n${one.content}`).join("\n\n");
    case "sample":
      return row.completion || "";
    case "score":
      return [row.verdict, row.detail].filter(Boolean).join(": ");
    case "seed":
      return [row.title, row.function_name, ...(row.words || [])].filter(Boolean).join(" · ");
    default:
      return row.text || (row.document_id ? `tokens ${row.start} to ${row.stop} of shard ${row.shard}` : "");
  }
}

export function languageOf(row) {
  if (row.type === "exercise") return row.entry_point ? "python" : ""; // one of another language has none
  if (row.type === "sample") return "python";
  if (row.type === "passage") return row.completion_id ? "markdown" : "python";
  return row.type === "completion" || row.type === "prompt" ? "markdown" : "";
}
