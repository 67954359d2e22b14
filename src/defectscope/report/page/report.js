// Brings the parts together: header, controls, keys, and who redraws when.
const byId = (id) => document.getElementById(id);

function drawHeader() {
  const { asset, timing } = REPORT, { video, audio } = asset;
  byId("asset").textContent = asset.uri || "report";
  const facts = [clock(asset.duration_s || 0)];
  if (video) {
    const [top, bottom = 1] = String(video.frame_rate).split("/").map(Number);
    facts.push(`${video.width} × ${video.height}`, Number((top / bottom).toFixed(3)) + " fps", video.codec);
  }
  if (audio) facts.push([audio.codec, number(audio.rate_hz / 1000) + " kHz", audio.layout ?? audio.channels + " ch"].filter(Boolean).join(" "));
  if (timing.realtime_factor) facts.push(`analyzed at ${number(timing.realtime_factor)}× real time`);
  byId("facts").append(...facts.map((fact) => element("li", {}, String(fact))));
  const tally = byId("tally");
  for (const severity of [...SEVERITIES].reverse()) {
    const count = FINDINGS.filter((f) => f.severity === severity).length;
    if (count) tally.append(element("span", { class: "badge number " + severity }, `${count} ${severity}`));
  }
  if (!FINDINGS.length) {
    const open = DETECTORS.some((name) => ["fail", "inconclusive", "not_judged"].includes(verdictOf(name)));
    tally.append(element("strong", { class: open ? "muted" : "verdict-pass" }, "No findings"));
  }
}

function drawFooter() {
  const rows = DETECTORS.map((name) => {
    const entry = REPORT.detectors[name] ?? {}, parameters = Object.entries(entry.parameters ?? {});
    const peaks = Object.entries(REPORT.verdicts[name]?.peak_score ?? {});
    const list = (pairs) => pairs.map(([key, value]) => {
      // A defect's own name carries no unit, though "black_frames" looks as if it did.
      const [label, unit] = key === name ? [words(key), ""] : labelAndUnit(key);
      return label + " " + (value !== null && typeof value === "object" ? JSON.stringify(value) : quantity(value, unit));
    }).join(", ");
    const reason = REPORT.verdicts[name]?.reason, verdict = words(verdictOf(name)) + (reason ? ": " + reason : "");
    return element("tr", {}, element("td", {}, words(name)), element("td", {}, verdict), element("td", {}, list(peaks)), element("td", {}, entry.version ?? ""), element("td", {}, list(parameters)));
  });
  const head = element("tr", {}, ...["Detector", "Verdict", "Peak", "Version", "Parameters"].map((text) => element("th", { scope: "col" }, text)));
  byId("footer").append(element("details", {}, element("summary", {}, "Detectors, verdicts and parameters"), element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows))));
}

function drawTracks() {
  const tracks = REPORT.tracks ?? [];
  if (!tracks.length) return;
  const seconds = (value) => (value === null || value === undefined ? "" : quantity(value, "s"));
  const rows = tracks.map((track) => {
    const units = track.frames !== undefined ? `${track.frames} frames` : track.samples !== undefined ? `${track.samples} samples` : "";
    const looked = track.judged ? [units, track.layout].filter(Boolean).join(", ") || "yes" : "not analyzed: " + track.reason;
    const cells = [track.index, track.medium, track.codec ?? "", seconds(track.declared_s), seconds(track.decoded_s), looked];
    return element("tr", {}, ...cells.map((cell) => element("td", {}, String(cell))));
  });
  const head = element("tr", {}, ...["Track", "Medium", "Codec", "Declared", "Decoded", "Judged"].map((text) => element("th", { scope: "col" }, text)));
  const left = tracks.filter((track) => !track.judged && track.medium !== "other").length;
  const title = `Tracks: ${tracks.length}` + (left ? `, ${left} not analyzed` : "");
  const details = element("details", {}, element("summary", {}, title), element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)));
  details.open = left > 0;
  byId("footer").append(details);
}

function drawLabels() {
  const names = lanes();
  byId("labels").replaceChildren(...names.map((name) => {
    const verdict = verdictOf(name), count = BY_DETECTOR.get(name).length;
    return element("button", { type: "button", "aria-pressed": String(STATE.detector === name), title: `${words(name)}: ${words(verdict)}. Show only its findings.`,
      on: { click: () => update({ detector: STATE.detector === name ? "" : name }) } },
      element("span", { class: "mark verdict-" + verdict, "aria-hidden": "true" }, MARKS[verdict] ?? "?"),
      element("span", { class: "name" }, words(name), element("span", { class: "hidden-text" }, `, ${words(verdict)}, ${count} findings`)),
      element("span", { class: "many muted number", "aria-hidden": "true" }, count || (verdict === "fail" ? "" : words(verdict))));
  }));
  const quiet = DETECTORS.length - names.length, button = byId("quiet");
  button.hidden = !STATE.quiet && quiet === 0;
  button.setAttribute("aria-pressed", String(STATE.quiet));
  button.textContent = STATE.quiet ? "Hide quiet detectors" : `Show ${quiet} quiet detector${quiet === 1 ? "" : "s"}`;
}

function drawControls() {
  for (const button of byId("severities").children) button.setAttribute("aria-pressed", String(STATE.severities.has(button.dataset.severity)));
  byId("detector").value = STATE.detector;
  byId("sort").value = STATE.sort;
  if (byId("search").value !== STATE.text) byId("search").value = STATE.text;
}

function toggleSeverity(severity) {
  const severities = new Set(STATE.severities);
  if (!severities.delete(severity)) severities.add(severity);
  update({ severities });
}

function startControls() {
  byId("severities").append(...[...SEVERITIES].reverse().map((severity) => {
    const count = FINDINGS.filter((f) => f.severity === severity).length;
    return element("button", { type: "button", class: severity, "data-severity": severity, title: `Show ${severity} findings`, on: { click: () => toggleSeverity(severity) } }, `${severity} ${count}`);
  }));
  const found = DETECTORS.filter((name) => BY_DETECTOR.get(name).length);
  byId("detector").append(element("option", { value: "" }, "All detectors"), ...found.map((name) => element("option", { value: name }, `${words(name)} (${BY_DETECTOR.get(name).length})`)));
  byId("detector").addEventListener("change", (event) => update({ detector: event.target.value }));
  byId("sort").addEventListener("change", (event) => update({ sort: event.target.value }));
  byId("search").addEventListener("input", (event) => update({ text: event.target.value }));
  byId("quiet").addEventListener("click", () => update({ quiet: !STATE.quiet }));
  byId("help-open").addEventListener("click", () => byId("help").showModal());
  byId("help-close").addEventListener("click", () => byId("help").close());
}

const selected = (run) => () => { if (FINDINGS[STATE.selected]) run(FINDINGS[STATE.selected]); };
const SORTS = ["time", "severity", "confidence", "length", "defect"];
// Shown names, what they do, the `key` values, the action.
const KEYS = [
  ["j ↓", "Next finding", ["j", "ArrowDown"], () => move(1)],
  ["k ↑", "Previous finding", ["k", "ArrowUp"], () => move(-1)],
  ["PgDn PgUp", "Ten findings on or back", ["PageDown"], () => move(PAGE_ROWS)],
  [null, null, ["PageUp"], () => move(-PAGE_ROWS)],
  ["Home End", "First and last finding", ["Home"], () => move(-FINDINGS.length)],
  [null, null, ["End"], () => move(FINDINGS.length)],
  ["Enter", "Open the finding's evidence", ["Enter"], selected(openDetail)],
  ["Esc", "Back to the list; clear the filter", ["Escape"], () => back()],
  ["/", "Filter by text", ["/"], () => byId("search").focus()],
  ["1 2 3", "Critical, major, minor on or off", ["1"], () => toggleSeverity("critical")],
  [null, null, ["2"], () => toggleSeverity("major")],
  [null, null, ["3"], () => toggleSeverity("minor")],
  ["s", "Next sort order", ["s"], () => update({ sort: SORTS[(SORTS.indexOf(STATE.sort) + 1) % SORTS.length] })],
  ["← →", "Move along the timeline", ["ArrowLeft"], () => pan(-0.25)],
  [null, null, ["ArrowRight"], () => pan(0.25)],
  ["+ − 0", "Zoom in, out, whole programme", ["+", "="], () => zoom(0.5)],
  [null, null, ["-"], () => zoom(2)],
  [null, null, ["0"], () => setView(PROGRAMME.start_s, WHOLE_S)],
  ["z", "Zoom to the finding", ["z"], selected(zoomTo)],
  ["q", "Show or hide quiet detectors", ["q"], () => update({ quiet: !STATE.quiet })],
  ["t", "Dark, light or automatic colours", ["t"], () => nextTheme()],
  ["?", "These keys", ["?"], () => byId("help").showModal()],
];

function back() {
  if (DETAIL.classList.contains("open") || document.activeElement === DETAIL) closeDetail();
  else if (STATE.text || STATE.detector || STATE.severities.size < SEVERITIES.length) {
    update({ text: "", detector: "", severities: new Set(SEVERITIES) });
  }
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  const target = event.target, typing = target.matches("input, select, textarea");
  if (typing) {
    const search = target === byId("search");
    if (event.key === "Escape") {
      if (search) update({ text: "" });
      target.blur();
    } else if (search && ["Enter", "ArrowDown"].includes(event.key)) {
      event.preventDefault();
      LIST.focus();
    }
    return;
  }
  // Enter on a button or summary is that control's own.
  if (event.key === "Enter" && target.closest("button, summary, a")) return;
  const inDetail = DETAIL.contains(target) && DETAIL.scrollHeight > DETAIL.clientHeight;
  if (inDetail && ["ArrowDown", "ArrowUp", "PageDown", "PageUp", "Home", "End"].includes(event.key)) return;
  const known = KEYS.find(([, , keys]) => keys.includes(event.key));
  if (!known) return;
  event.preventDefault();
  known[3]();
}

function start() {
  for (const [shown, text] of KEYS) {
    if (shown) byId("keys").append(element("dt", {}, ...shown.split(" ").flatMap((key) => [element("kbd", {}, key), " "])), element("dd", {}, text));
  }
  startTheme();
  drawHeader();
  drawVerdict();
  drawTracks();
  drawFooter();
  startControls();
  startList();
  startDetail();
  startTimeline((finding) => { update({ selected: finding.index }); DETAIL.classList.add("open"); });
  let frame = 0;
  LISTENERS.push((keys) => {
    const has = (...names) => names.some((name) => keys.has(name));
    if (has("shown", "detector", "severities", "sort", "text")) drawControls();
    if (has("detector", "quiet")) drawLabels();
    if (has("shown")) drawList();
    if (has("selected", "shown")) drawSelection();
    if (has("selected")) {
      drawDetail();
      // So that a link can point at a finding; pages without an address refuse it.
      try { history.replaceState(null, "", STATE.selected < 0 ? "#" : "#at-" + STATE.selected); } catch { /* no link */ }
    }
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(drawTimeline);
  });
  const linked = /^#at-(\d+)$/.exec(location.hash);
  const first = linked && FINDINGS[Number(linked[1])] ? Number(linked[1]) : (select(STATE)[0]?.index ?? -1);
  update({ text: "", detector: "", quiet: false });
  update({ selected: first });
  document.addEventListener("keydown", onKey);
  const beforePrint = () => { readColours(); setView(PROGRAMME.start_s, WHOLE_S); drawTimeline(); for (const redraw of redraws) redraw(); };
  addEventListener("beforeprint", beforePrint);
  matchMedia("print").addEventListener("change", beforePrint);
  document.documentElement.dataset.ready = "true";
}

start();
