// Brings the parts together: header, controls, keys, and who redraws when.

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
  ["space", "Play or pause", [" "], () => toggle()],
  [", .", "One frame back or on", [","], () => step(-1)],
  [null, null, ["."], () => step(1)],
  ["l", "Loop the finding with its handles", ["l"], () => setLoop(!PLAYER.loop)],
  ["b n m", "Frame before, at, after the finding", ["b"], () => showMoment("before")],
  [null, null, ["n"], () => showMoment("at")],
  [null, null, ["m"], () => showMoment("after")],
  ["c", "Hear the next channel alone", ["c"], () => nextChannel()],
  ["o", "What was measured, over the frame", ["o"], () => toggleOverlay()],
  ["a r u", "Accept, reject, take back", ["a"], selected(focusReason)],
  [null, null, ["r"], () => DETAIL.querySelector('.waive button[type="button"]')?.click()],
  [null, null, ["u"], () => DETAIL.querySelector(".decision button")?.click()],
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
  if (["Enter", " "].includes(event.key) && target.closest("button, summary, a")) return;
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
  drawFacts();
  startTabs();
  startControls();
  startList();
  startDetail();
  startReview();
  startPlayer();
  startTimeline((finding) => { update({ selected: finding.index }); DETAIL.classList.add("open"); });
  let frame = 0;
  LISTENERS.push((keys) => {
    const has = (...names) => names.some((name) => keys.has(name));
    if (has("shown", "detector", "severities", "sort", "text")) drawControls();
    if (has("detector", "quiet")) drawLabels();
    if (has("shown")) drawList();
    if (has("selected", "shown")) drawSelection();
    if (has("decisions")) {
      drawVerdict();
      drawDetail();
      drawRows(true);
      drawDecided();
    }
    if (has("selected")) {
      drawDetail();
      viewFinding();
      // So that a link can point at a finding; pages without an address refuse it.
      try { history.replaceState(null, "", STATE.selected < 0 ? "#" : "#at-" + STATE.selected); } catch { /* no link */ }
    }
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(drawTimeline);
  });
  const linked = /^#at-(\d+)$/.exec(location.hash);
  const first = linked && FINDINGS[Number(linked[1])] ? Number(linked[1]) : (select(STATE)[0]?.index ?? -1);
  update({ text: "", detector: "", quiet: false, selected: first });
  drawDecided();
  document.addEventListener("keydown", onKey);
  const paper = (on) => {
    readColours();
    drawWhole(on);
    if (on) setView(PROGRAMME.start_s, WHOLE_S);
    drawTimeline();
    for (const redraw of redraws) redraw();
  };
  addEventListener("beforeprint", () => paper(true));
  addEventListener("afterprint", () => paper(false));
  matchMedia("print").addEventListener("change", (event) => paper(event.matches));
  document.documentElement.dataset.ready = "true";
}

start();
