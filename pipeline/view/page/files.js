// The answers of an exported folder: the same shapes as the server's, from files.

import { Refused } from "./data.js";

const PARTS = 24; // parts kept unpacked
const parts = new Map();
const searched = new Map();

async function bytes(path) {
  let response;
  try {
    response = await fetch("data/" + path.map(encodeURIComponent).join("/"));
  } catch {
    throw new Refused("The files cannot be fetched: a folder needs a web server, as python -m http.server is.");
  }
  if (!response.ok) throw new Refused(`There is no ${path.join("/")} in this folder.`);
  return response;
}

const plain = async (...path) => (await bytes(path)).json();

// A gzipped file, unpacked here unless the web server has done so.
async function packed(...path) {
  const response = await bytes(path);
  const content = new Uint8Array(await response.arrayBuffer());
  if (content[0] !== 0x1f || content[1] !== 0x8b) return JSON.parse(new TextDecoder().decode(content));
  return new Response(new Blob([content]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
}

async function part(name, stage, kind, number) {
  const path = [name, stage, kind, `${number}.gz`];
  const key = path.join("\n");
  if (!parts.has(key)) parts.set(key, packed(...path));
  const found = parts.get(key);
  parts.delete(key);
  parts.set(key, found);
  if (parts.size > PARTS) parts.delete(parts.keys().next().value);
  return found;
}

const SEARCHED = ["id", "text", "prompt", "solution", "test", "completion", "raw", "entry_point", "title", "function_name", "task_id", "detail", "origin"];

function says(row, text) {
  if (SEARCHED.some((key) => typeof row[key] === "string" && row[key].toLowerCase().includes(text))) return true;
  return (row.messages || []).some((one) => one.content.toLowerCase().includes(text));
}

function is(row, key, value) {
  let own = key in row ? row[key] : (row.seed || {})[key];
  if (key === "passed") own = own === null ? "none" : String(own);
  return own === value || (key === "topic" && typeof own === "string" && own.startsWith(value.replace(/\/+$/, "") + "/"));
}

function fits(row, wanted) {
  return Object.entries(wanted).every(([key, value]) => {
    if (key === "q") return says(row, value.toLowerCase());
    if (key === "low") return typeof row.value === "number" && row.value >= +value;
    if (key === "high") return typeof row.value === "number" && row.value <= +value;
    if (key === "label") return row.label && (value === "any" || row.label.label === value || (value === "note" && row.label.note));
    return is(row, key, value);
  });
}

async function matching(name, stage, kind, sizes, wanted) {
  const key = JSON.stringify([name, stage, kind, wanted]);
  if (!searched.has(key)) {
    const found = [];
    for (let number = 0; number < sizes.length; number++)
      (await part(name, stage, kind, number)).forEach((row, place) => fits(row, wanted) && found.push([number, place]));
    searched.set(key, found);
  }
  return searched.get(key);
}

async function records(name, stage, kind, given) {
  const { offset = 0, limit = 50, ...wanted } = Object.fromEntries(given);
  for (const key of Object.keys(wanted)) if (!wanted[key]) delete wanted[key];
  const { parts: sizes } = await plain(name, stage, kind, "list.json");
  const total = sizes.reduce((a, b) => a + b, 0);
  let chosen = [];
  let matched = total;
  if (Object.keys(wanted).length) {
    const every = await matching(name, stage, kind, sizes, wanted);
    matched = every.length;
    chosen = every.slice(+offset, +offset + +limit);
  } else {
    let start = 0;
    sizes.forEach((size, number) => {
      for (let place = Math.max(0, +offset - start); place < size && start + place < +offset + +limit; place++) chosen.push([number, place]);
      start += size;
    });
  }
  const rows = [];
  for (const [number, place] of chosen) rows.push((await part(name, stage, kind, number))[place]);
  return { total, matched, offset: +offset, rows };
}

// [places, children] of an id. A place is [stage's number, kind, part, row].
async function known(name, id) {
  if (!id || !/^[0-9a-f]{4,64}$/.test(id)) return [[], []];
  try {
    return (await packed(name, "ids", `${id.slice(0, 2)}.gz`))[id] || [[], []];
  } catch (problem) {
    if (problem instanceof Refused) return [[], []];
    throw problem;
  }
}

const stages = async (name) => (await plain(name, "run.json")).status.stages.map((stage) => stage.name);

async function rowAt(name, [stage, kind, number, place]) {
  return (await part(name, (await stages(name))[stage], kind, number))[place];
}

async function rowOf(name, id, last = false) {
  const [places] = await known(name, id);
  return places.length ? rowAt(name, places[last ? places.length - 1 : 0]) : null;
}

async function record(name, id) {
  const [places] = await known(name, id);
  if (!places.length) throw new Refused(`Run ${name} has no record ${id}.`);
  const row = await rowAt(name, places[places.length - 1]);
  const names = await stages(name);
  const completion = row.type === "completion" ? row : await rowOf(name, row.completion_id);
  return {
    row, completion, prompt: await rowOf(name, (completion || {}).prompt_id), kept: await rowOf(name, row.kept_id),
    places: places.map(([stage, kind]) => ({ stage: names[stage], kind })), value: row.value, label: row.label,
  };
}

const what = (row) => ({ passage: "document", exercise: "document" })[row.type] || row.type || "span";

function note(row) {
  if (row.reason) return `${row.reason}: ${row.detail}`;
  const seed = row.seed || {};
  const said = [row.teacher || seed.teacher, row.topic || seed.topic, row.audience || seed.audience, row.origin, row.model, row.task_id, row.verdict,
    row.document_id && `shard ${row.shard}, tokens ${row.start} to ${row.stop}`, row.template];
  return said.filter(Boolean).join(", ");
}

async function trace(name, id) {
  const names = await stages(name);
  const step = (row, stage, next = []) => ({ what: what(row), id: row.id, stage, note: note(row), text: "", next });
  const stageOf = async (one) => names[(await known(name, one))[0][0][0]];
  const behind = async (row) => {
    if (row.type === "prompt" || (row.type === "completion" && !(await rowOf(name, row.prompt_id))))
      return row.seed ? [step({ ...row.seed, type: "seed" }, "seeds")] : [];
    const parent = await rowOf(name, row.sample_id || row.document_id || row.completion_id || row.prompt_id);
    if (!parent) return row.origin ? [{ what: "origin", id: "", stage: "", note: `${row.origin}, real code`, text: "", next: [] }] : [];
    return [step(parent, await stageOf(parent.id), await behind(parent))];
  };
  const ahead = async (one, depth) => {
    const [places, children] = await known(name, one);
    const found = [];
    for (const place of places.slice(1)) {
      const row = await rowAt(name, place);
      found.push({ ...step(row, names[place[0]]), what: place[1] === "dropped" ? "dropped" : "kept", note: row.reason ? note(row) : "" });
    }
    for (const child of depth ? children.slice(0, 20) : []) {
      const row = await rowOf(name, child);
      found.push(step(row, await stageOf(child), await ahead(child, depth - 1)));
    }
    return found;
  };
  const row = await rowOf(name, id);
  if (!row) throw new Refused(`Run ${name} has no record ${id}.`);
  return { back: await behind(row), forward: await ahead(id, 4) };
}

export const files = {
  runs: () => plain("runs.json"),
  run: (name) => plain(name, "run.json"),
  problems: (name) => plain(name, "problems.json"),
  curves: (name) => plain(name, "curves.json"),
  labels: (name) => plain(name, "labels.json"),
  facets: (name, stage, kind) => plain(name, stage, kind, "list.json"),
  records, record, trace,
};
