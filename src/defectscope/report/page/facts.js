// What is known beside the findings: the container's facts, tracks, detectors and their versions.
function factsTable() {
  const { facts = {}, asset } = REPORT;
  const rows = Object.entries(facts).map(([name, value]) => {
    const [label, unit] = labelAndUnit(name);
    return [label, value === null ? "not stated" : quantity(value, unit)];
  });
  if (asset.sha256) rows.push(["SHA-256", asset.sha256]);
  if (!rows.length) return [];
  return [heading("The container states"), table(["Fact", "As stated"], rows.map(rowFrom))];
}

function rowFrom(cells) {
  return element("tr", {}, ...cells.map((cell) => element("td", {}, String(cell ?? ""))));
}

function tracksTable() {
  const tracks = REPORT.tracks ?? [];
  if (!tracks.length) return [];
  const seconds = (value) => (value === null || value === undefined ? "" : quantity(value, "s"));
  const rows = tracks.map((track) => {
    const units = track.frames !== undefined ? `${track.frames} frames` : track.samples !== undefined ? `${track.samples} samples` : "";
    const looked = track.judged ? [units, track.layout].filter(Boolean).join(", ") || "yes" : "not analyzed: " + track.reason;
    return [track.index, track.medium, track.codec ?? "", seconds(track.declared_s), seconds(track.decoded_s), looked];
  });
  const left = tracks.filter((track) => !track.judged && track.medium !== "other").length;
  return [heading(`Tracks: ${tracks.length}` + (left ? `, ${left} not analyzed` : "")), table(["Track", "Medium", "Codec", "Declared", "Decoded", "Judged"], rows.map(rowFrom))];
}

function detectorsTable() {
  const rows = DETECTORS.map((name) => {
    const entry = REPORT.detectors[name] ?? {}, parameters = Object.entries(entry.parameters ?? {});
    const peaks = Object.entries(REPORT.verdicts[name]?.peak_score ?? {});
    const list = (pairs) => pairs.map(([key, value]) => {
      // A defect's own name carries no unit, though "black_frames" looks as if it did.
      const [label, unit] = key === name ? [words(key), ""] : labelAndUnit(key);
      return label + " " + (value !== null && typeof value === "object" ? JSON.stringify(value) : quantity(value, unit));
    }).join(", ");
    const reason = REPORT.verdicts[name]?.reason, verdict = words(verdictOf(name)) + (reason ? ": " + reason : "");
    return [words(name), verdict, list(peaks), entry.version, list(parameters)];
  });
  return [heading("Detectors, verdicts and parameters"), table(["Detector", "Verdict", "Peak", "Version", "Parameters"], rows.map(rowFrom))];
}

function drawFacts() {
  byId("panel-facts").replaceChildren(...factsTable(), ...tracksTable(), ...detectorsTable());
}

const TABS = ["findings", "rules", "facts"];

function showTab(name) {
  for (const tab of TABS) {
    byId("tab-" + tab).setAttribute("aria-selected", String(tab === name));
    byId("panel-" + tab).classList.toggle("shown", tab === name);
  }
}

function startTabs() {
  for (const tab of TABS) byId("tab-" + tab).addEventListener("click", () => showTab(tab));
  showTab("findings");
}
