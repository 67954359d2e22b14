// The one verdict, the profile's rules with what was measured beside the limit, and the facts.
const RULE_ORDER = ["fail", "not_judged", "warn", "pass", "not_applicable"];

function shouted(verdict) {
  return words(verdict).toUpperCase();
}

function said(value) {
  if (value === null || value === undefined) return "not stated";
  return quantity(value, "");
}

function selectBroken(rule) {
  const first = rule.findings?.[0];
  if (first === undefined || !FINDINGS[first]) return;
  update({ text: "", detector: "", severities: new Set(SEVERITIES) });
  update({ selected: first });
  reveal(FINDINGS[first]);
}

// Measured stands beside the limit; the source says who asks for it.
function ruleCard(rule) {
  const unit = rule.unit ? " " + rule.unit : "";
  const measured = rule.measured === null && rule.verdict.startsWith("not_") ? "" : said(rule.measured) + unit;
  const title = rule.findings?.length
    ? element("button", { type: "button", title: "Show its first finding", on: { click: () => selectBroken(rule) } }, rule.title)
    : element("span", {}, rule.title);
  const limit = rule.limit === "none" ? "none" : rule.limit + unit;
  const source = [rule.code, rule.vocabulary, rule.source].filter(Boolean).join(" \u00b7 ");
  return element("div", { class: "rule" },
    element("strong", { class: "verdict-" + rule.verdict }, shouted(rule.verdict)),
    element("div", {}, title,
      element("dl", {}, ...(measured ? [element("dt", {}, "measured"), element("dd", {}, measured)] : []), element("dt", {}, "limit"), element("dd", {}, limit)),
      ...(rule.reason ? [element("div", {}, rule.reason)] : []),
      element("div", { class: "muted" }, source)));
}

function table(head, rows) {
  const row = element("tr", {}, ...head.map((text) => element("th", { scope: "col" }, text)));
  return element("table", {}, element("thead", {}, row), element("tbody", {}, ...rows));
}

function drawVerdict() {
  const { verdict, reason, profile, rules = [], asset } = REPORT, stamp = byId("stamp");
  stamp.hidden = !verdict;
  stamp.className = "stamp verdict-" + verdict;
  stamp.textContent = verdict ? shouted(verdict) : "";
  const parts = [profile ? `by ${profile.title} (${profile.edition})` : "without a delivery profile", reason, `defectscope ${DATA.version}`].filter(Boolean);
  byId("verdict").replaceChildren(element("span", {}, parts.join(" \u00b7 ")),
    ...(asset.sha256 ? [element("span", { class: "time hash", title: "SHA-256 of the file" }, "SHA-256 " + asset.sha256)] : []));
  drawRules(rules);
}

function drawRules(rules) {
  const ordered = [...rules].sort((a, b) => RULE_ORDER.indexOf(a.verdict) - RULE_ORDER.indexOf(b.verdict));
  const kept = (rule) => rule.verdict === "pass" || rule.verdict === "not_applicable";
  const broken = ordered.filter((rule) => !kept(rule));
  byId("tab-rules").hidden = !rules.length;
  byId("rules-count").textContent = broken.length ? `${broken.length} not kept` : "all kept";
  byId("rules-count").className = "number " + (broken.length ? "verdict-" + broken[0].verdict : "verdict-pass");
  const blocks = [["Rules not kept", broken], ["Rules kept", ordered.filter(kept)]].filter(([, some]) => some.length);
  byId("panel-rules").replaceChildren(...blocks.flatMap(([title, some]) => [heading(`${title}: ${some.length}`), ...some.map(ruleCard)]));
}
