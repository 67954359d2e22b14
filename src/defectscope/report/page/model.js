// The report as data: words, numbers, filter and sort. Touches no element but the data block.
const DATA = JSON.parse(document.getElementById("data").textContent);
const REPORT = DATA.report;
const SEVERITIES = ["minor", "major", "critical"];
const MARKS = { fail: "✗", warn: "!", inconclusive: "?", pass: "✓", not_applicable: "–", not_judged: "○" };
const COLLATOR = new Intl.Collator("en", { numeric: true });

const FINDINGS = REPORT.findings.map((finding, index) => ({
  ...finding,
  index,
  rank: Math.max(0, SEVERITIES.indexOf(finding.severity)),
  length_s: finding.end_s - finding.start_s,
  still: DATA.stills[index] ?? null,
  sound: DATA.sounds[index] ?? null,
  cues: DATA.captions[index] ?? null,
}));
const DETECTORS = [...new Set([...Object.keys(REPORT.verdicts), ...FINDINGS.map((f) => f.detector)])];
const BY_DETECTOR = new Map(DETECTORS.map((name) => [name, []]));
for (const finding of FINDINGS) BY_DETECTOR.get(finding.detector).push(finding);
const LAST_S = FINDINGS.reduce((last, f) => Math.max(last, f.end_s), REPORT.asset.duration_s || 0);
const PROGRAMME = {
  start_s: FINDINGS.reduce((first, f) => Math.min(first, f.start_s), 0),
  end_s: LAST_S > 0 ? LAST_S : 1,
};

function verdictOf(detector) {
  return REPORT.verdicts[detector]?.verdict ?? "fail";
}

// "mean_luma_code" -> ["mean luma", "code"]; the suffixes come with the data.
function labelAndUnit(name) {
  const cut = name.lastIndexOf("_");
  const suffix = name.slice(cut + 1);
  if (name.endsWith("_per_s")) return [words(name.slice(0, -6)), "per second"];
  if (cut > 0 && Object.hasOwn(DATA.units, suffix)) return [words(name.slice(0, cut)), DATA.units[suffix]];
  return [words(name), ""];
}

function quantity(value, unit) {
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "number") return String(value ?? "none");
  return unit ? number(value) + (unit === "%" || unit === "°" ? "" : " ") + unit : number(value);
}

function lengthOf(seconds) {
  if (seconds >= 60) return clock(seconds, 0);
  return seconds >= 1 ? seconds.toFixed(2) + " s" : Math.round(seconds * 1000) + " ms";
}

function spanOf(finding) {
  return [finding.start_timecode ?? clock(finding.start_s), finding.end_timecode ?? clock(finding.end_s)];
}

// The first few scalars of the evidence, for one line of a list.
function summary(finding, most = 3) {
  const parts = [];
  for (const [name, value] of Object.entries(finding.evidence)) {
    if (parts.length === most) break;
    if (typeof value === "number" || typeof value === "string" || typeof value === "boolean") {
      const [label, unit] = labelAndUnit(name);
      parts.push(label + " " + quantity(value, unit).slice(0, 80));
    }
  }
  return parts.join(" · ");
}

// Made when somebody first searches: thousands of them take time that opening should not.
function haystackOf(finding) {
  finding.haystack ??= [
    finding.defect, words(finding.defect), finding.detector, words(finding.detector),
    finding.severity, ...spanOf(finding), summary(finding, 40),
  ].join(" ").toLowerCase();
  return finding.haystack;
}

const ORDERS = {
  time: (a, b) => a.start_s - b.start_s,
  severity: (a, b) => b.rank - a.rank || b.confidence - a.confidence,
  confidence: (a, b) => b.confidence - a.confidence,
  length: (a, b) => b.length_s - a.length_s,
  defect: (a, b) => COLLATOR.compare(a.defect, b.defect),
};

const STATE = {
  text: "", severities: new Set(SEVERITIES), detector: "", sort: "time", quiet: false,
  selected: -1, view: { ...PROGRAMME }, shown: FINDINGS, decisions: 0,
};
const LISTENERS = [];

function select(filter) {
  const terms = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  return FINDINGS.filter(
    (f) =>
      filter.severities.has(f.severity) &&
      (!filter.detector || f.detector === filter.detector) &&
      terms.every((term) => haystackOf(f).includes(term)),
  ).sort((a, b) => ORDERS[filter.sort](a, b) || a.start_s - b.start_s || a.index - b.index);
}

// One way to change anything: the changed keys go to everyone who draws.
function update(change) {
  Object.assign(STATE, change);
  const keys = new Set(Object.keys(change));
  if (["text", "severities", "detector", "sort"].some((key) => keys.has(key))) {
    STATE.shown = select(STATE);
    keys.add("shown");
    if (!STATE.shown.some((f) => f.index === STATE.selected)) {
      STATE.selected = STATE.shown[0]?.index ?? -1;
      keys.add("selected");
    }
  }
  for (const listener of LISTENERS) listener(keys);
}
