// What was decided of findings, and waivers.toml of it, as `--waivers` reads it.
const DECISIONS = new Map();
for (const finding of FINDINGS) {
  if (finding.waiver) DECISIONS.set(finding.index, { kind: "accepted", ...finding.waiver });
}
for (const [index, entry] of Object.entries(DATA.desk?.rejected ?? {})) DECISIONS.set(Number(index), { kind: "rejected", ...entry });

// A JSON string is a TOML basic string, but for DEL.
function tomlText(value) {
  return JSON.stringify(String(value)).replaceAll("\u007f", "\\u007f");
}

function waiverOf(finding, decision) {
  const { sha256, uri } = REPORT.asset, name = String(uri ?? "").split("/").pop();
  const [start, end] = [finding.start_timecode ?? String(finding.start_s), finding.end_timecode ?? String(finding.end_s)];
  // Brackets are patterns elsewhere: a name is matched by itself.
  const asset = name.replaceAll(/[[*?]/g, (c) => `[${c}]`);
  const entry = { ...(sha256 ? { sha256 } : { asset }), defect: finding.defect, start, end, reason: decision.reason, who: decision.who };
  const lines = Object.entries(entry).map(([key, value]) => `${key} = ${tomlText(value)}`);
  if (/^\d{4}-\d{2}-\d{2}$/.test(decision.until ?? "")) lines.push("until = " + decision.until);
  return [decision.kind === "accepted" ? "[[waivers]]" : "[[rejected]]", ...lines].join("\n");
}

function waiversText() {
  const order = { accepted: 0, rejected: 1 };
  const entries = [...DECISIONS].sort(([a, x], [b, y]) => order[x.kind] - order[y.kind] || a - b);
  return entries.map(([index, decision]) => waiverOf(FINDINGS[index], decision)).join("\n\n") + (entries.length ? "\n" : "");
}
