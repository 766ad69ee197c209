// Where the page has its answers from: the server that it came from, or the files of an exported folder.

export const exported = document.documentElement.hasAttribute("data-exported");

export class Refused extends Error {}

async function answer(response) {
  if (response.ok) return response.json();
  const text = await response.text();
  try {
    const { error } = JSON.parse(text);
    throw new Refused([error.message, error.hint].filter(Boolean).join(". "));
  } catch (problem) {
    throw problem instanceof Refused ? problem : new Refused(text.slice(0, 300));
  }
}

async function api(parts, given = []) {
  const query = new URLSearchParams(given).toString();
  let response;
  try {
    response = await fetch("api/" + parts.map(encodeURIComponent).join("/") + (query ? "?" + query : ""));
  } catch {
    throw new Refused("The server has ended: start `hornbook view` again.");
  }
  return answer(response);
}

const served = {
  runs: () => api(["runs"]),
  run: (name) => api(["runs", name]),
  status: (name) => api(["runs", name, "status"]),
  problems: (name) => api(["runs", name, "problems"]),
  curves: (name) => api(["runs", name, "curves"]),
  facets: (name, stage, kind) => api(["runs", name, "stages", stage, kind, "facets"]),
  records: (name, stage, kind, given) => api(["runs", name, "stages", stage, kind], given),
  record: (name, id) => api(["runs", name, "records", id]),
  trace: (name, id) => api(["runs", name, "records", id, "trace"]),
  labels: (name) => api(["runs", name, "labels"]),
  async label(name, id, said) {
    return answer(
      await fetch(["api", "runs", name, "labels", id].map(encodeURIComponent).join("/"), {
        method: "PUT",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(said),
      }),
    );
  },
};

let other = null;

// The answers of an exported folder are another module's, which a server's page does not load.
async function source() {
  if (!exported) return served;
  other ??= (await import("./files.js")).files;
  return other;
}

export const ask = async (what, ...given) => (await source())[what](...given);
