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

function ruleRow(rule) {
  const unit = rule.unit ? " " + rule.unit : "";
  const measured = rule.measured === null && rule.verdict.startsWith("not_") ? "" : said(rule.measured) + unit;
  const title = rule.findings?.length
    ? element("button", { type: "button", title: "Show its first finding", on: { click: () => selectBroken(rule) } }, rule.title)
    : rule.title;
  const source = [rule.code, rule.vocabulary, rule.source, rule.reason].filter(Boolean).join(" \u00b7 ");
  const cells = [element("strong", { class: "verdict-" + rule.verdict }, shouted(rule.verdict)), title, measured, rule.limit === "none" ? "none" : rule.limit + unit, source];
  return element("tr", {}, ...cells.map((cell, k) => element("td", k === 2 ? { class: "number" } : {}, cell)));
}

function table(head, rows) {
  const row = element("tr", {}, ...head.map((text) => element("th", { scope: "col" }, text)));
  return element("table", {}, element("thead", {}, row), element("tbody", {}, ...rows));
}

function drawVerdict() {
  const place = byId("verdict"), { verdict, reason, profile, rules = [], facts = {} } = REPORT;
  if (!verdict) { place.hidden = true; return; }
  const by = profile ? ` by ${profile.title} (${profile.edition})` : "";
  place.append(element("p", { class: "line" },
    element("strong", { class: "stamp verdict-" + verdict }, shouted(verdict)), by, reason ? element("span", { class: "muted" }, " \u00b7 " + reason) : ""));
  if (rules.length) {
    const ordered = [...rules].sort((a, b) => RULE_ORDER.indexOf(a.verdict) - RULE_ORDER.indexOf(b.verdict));
    const kept = (rule) => rule.verdict === "pass" || rule.verdict === "not_applicable";
    for (const [title, some] of [["Rules not kept", ordered.filter((rule) => !kept(rule))], ["Rules kept", ordered.filter(kept)]]) {
      if (!some.length) continue;
      const details = element("details", {}, element("summary", {}, `${title}: ${some.length}`),
        table(["Verdict", "Rule", "Measured", "Limit", "Code and source"], some.map(ruleRow)));
      details.open = !kept(some[0]);
      place.append(details);
    }
  }
  const known = Object.entries(facts).filter(([, value]) => value !== null);
  const hash = REPORT.asset.sha256;
  if (known.length) {
    const rows = known.map(([name, value]) => {
      const [label, unit] = labelAndUnit(name);
      return element("tr", {}, element("td", {}, label), element("td", {}, quantity(value, unit)));
    });
    if (hash) rows.push(element("tr", {}, element("td", {}, "SHA-256"), element("td", { class: "time" }, hash)));
    place.append(element("details", {}, element("summary", {}, `Facts of the container: ${known.length}`), table(["Fact", "As stated"], rows)));
  }
}
