// Everything known of the selected finding.
const DETAIL = document.getElementById("detail");
// Drawn elsewhere in the pane, so not repeated among the quantities.
const DRAWN = new Set(["map", "thumbnails_jpeg_base64", "distances", "offsets_ms"]);
const LIST_SHOWN = 12, DEPTH_SHOWN = 4;
let redraws = [];

function plot(label, draw) {
  const canvas = element("canvas", { role: "img", "aria-label": label });
  redraws.push(() => { if (canvas.isConnected) draw(canvas); });
  return canvas;
}

function heading(text) {
  return element("h3", {}, text);
}

function distanceCurve(evidence) {
  const { distances, offsets_ms: offsets } = evidence;
  if (!isNumbers(distances) || !isNumbers(offsets) || distances.length !== offsets.length) return [];
  return [
    heading("Distance between sound and lips over offset"),
    lineChart("Distance over offset; the lowest point is the offset found", offsets, distances, { xUnit: "ms, audio early on the left", lowest: true }),
  ];
}

function heatMap(value, label) {
  return plot("Map of " + label, (canvas) => {
    const rows = value.length, columns = value[0].length, width = canvas.clientWidth || 360;
    const height = Math.min(200, Math.max(40, (width * rows) / columns)), pen = prepare(canvas, width, height);
    const [low, high] = extent(value.flat());
    value.forEach((row, r) => row.forEach((v, c) => {
      pen.fillStyle = heat((v - low) / (high - low));
      pen.fillRect((c * width) / columns, (r * height) / rows, width / columns + 0.5, height / rows + 0.5);
    }));
    pen.strokeStyle = colours.rule;
    pen.strokeRect(0.5, 0.5, width - 1, height - 1);
  });
}

function describe(value, unit, label, depth) {
  if (value === null || typeof value !== "object") return quantity(value, unit);
  if (depth >= DEPTH_SHOWN) return JSON.stringify(value).slice(0, 200);
  if (isMap(value) && value.length > 1 && value[0].length > 1) return heatMap(value, label);
  if (isNumbers(value) && value.length > LIST_SHOWN) {
    const xs = value.map((_, k) => k);
    return lineChart("Curve of " + label, xs, value, { yUnit: unit, height: 116 });
  }
  if (isNumbers(value)) return value.map(number).join(", ") + (unit ? " " + unit : "");
  if (Array.isArray(value)) {
    const parts = value.slice(0, LIST_SHOWN).map((item, k) => element("div", {}, describe(item, unit, `${label} ${k + 1}`, depth + 1)));
    if (value.length > LIST_SHOWN) parts.push(element("div", { class: "muted" }, `and ${value.length - LIST_SHOWN} more`));
    return element("div", {}, ...parts);
  }
  return quantities(value, depth + 1);
}

function quantities(evidence, depth = 0) {
  const list = element("dl", { class: "quantities" });
  for (const [name, value] of Object.entries(evidence)) {
    if (depth === 0 && DRAWN.has(name) && drawnElsewhere(name, evidence)) continue;
    const [label, unit] = labelAndUnit(name);
    list.append(element("dt", {}, label), element("dd", {}, describe(value, unit, label, depth)));
  }
  return list;
}

// Malformed, these fall through to the plain list instead of vanishing.
function drawnElsewhere(name, evidence) {
  if (name === "map") return mapOf(evidence) !== null && Boolean(REPORT.asset.video);
  if (name === "thumbnails_jpeg_base64") return Array.isArray(evidence[name]);
  return distanceCurve(evidence).length > 0;
}

function trackShots(evidence) {
  const texts = Array.isArray(evidence.thumbnails_jpeg_base64) ? evidence.thumbnails_jpeg_base64 : [];
  const images = texts.slice(0, 24).map((text, k) => jpeg(text, "Track frame " + (k + 1))).filter(Boolean);
  return images.length ? [heading("Tracks"), element("div", { class: "shots" }, ...images)] : [];
}

function adviceOn(finding) {
  const advice = DATA.advice[finding.defect];
  if (!advice) return [];
  return [element("p", { class: "advice" }, advice.wrong, " ", element("span", { class: "muted" }, "Usual cause: " + advice.cause))];
}

function brokenBy(finding) {
  const rules = (REPORT.rules ?? []).filter((rule) => rule.findings?.includes(finding.index));
  if (!rules.length) return [];
  const said = rules.map((rule) => element("div", {}, element("strong", { class: "verdict-" + rule.verdict }, shouted(rule.verdict)), " ", rule.title, rule.code ? element("span", { class: "muted" }, " · " + rule.code) : ""));
  return [element("dt", {}, "Rules"), element("dd", {}, ...said)];
}

function drawDetail() {
  redraws = [];
  const finding = FINDINGS[STATE.selected];
  DETAIL.dataset.index = finding ? finding.index : "";
  if (!finding) {
    const nothing = FINDINGS.length ? "Select a finding to see its evidence." : "Nothing was found. The verdicts stand beside the timeline.";
    DETAIL.replaceChildren(element("p", { class: "empty" }, nothing));
    return;
  }
  const [start, end] = spanOf(finding);
  const facts = [
    ["Start", start, finding.start_timecode && clock(finding.start_s), finding.start_frame],
    ["End", end, finding.end_timecode && clock(finding.end_s), finding.end_frame],
  ].map(([name, code, time, frame]) => {
    const extra = [time, frame === undefined ? null : "frame " + frame].filter(Boolean).join(" · ");
    return [element("dt", {}, name), element("dd", {}, element("span", { class: "time" }, code), extra ? element("span", { class: "muted" }, "  " + extra) : "")];
  }).flat();
  const row = (name, text) => [element("dt", {}, name), element("dd", {}, text)];
  const version = REPORT.detectors[finding.detector]?.version;
  const evidence = quantities(finding.evidence);
  DETAIL.replaceChildren(
    element("div", { class: "head" },
      element("h2", {}, words(finding.defect)),
      element("span", { class: "badge " + finding.severity }, finding.severity),
      element("button", { type: "button", title: "Show it on the timeline (z)", on: { click: () => zoomTo(finding) } }, "Zoom"),
      element("button", { type: "button", class: "close", on: { click: () => closeDetail() } }, "Close")),
    ...adviceOn(finding),
    element("dl", { class: "facts-grid" }, ...facts,
      ...row("Length", lengthOf(finding.length_s)),
      ...row("Confidence", finding.confidence.toFixed(2)),
      ...(finding.track === undefined ? [] : row("Track", String(finding.track))),
      ...row("Detector", words(finding.detector) + (version ? " " + version : "")),
      ...brokenBy(finding)),
    decisionOn(finding),
    ...captionsOf(finding),
    ...soundOf(finding),
    ...scoreAround(finding),
    ...distanceCurve(finding.evidence),
    ...trackShots(finding.evidence),
    ...(evidence.childElementCount ? [heading("Evidence"), evidence] : []),
  );
  DETAIL.scrollTop = 0;
  for (const redraw of redraws) redraw();
}

function openDetail() {
  DETAIL.classList.add("open");
  DETAIL.focus({ preventScroll: true });
}

function closeDetail() {
  DETAIL.classList.remove("open");
  byId("list").focus({ preventScroll: true });
}

function startDetail() {
  const again = () => { for (const redraw of redraws) redraw(); };
  COLOUR_LISTENERS.push(again);
  let width = 0;
  new ResizeObserver(() => {
    if (DETAIL.clientWidth !== width) {
      width = DETAIL.clientWidth;
      again();
    }
  }).observe(DETAIL);
}
