// One lane a detector: score curve behind, findings in front; zoom, pan, pick.
// Many lanes are drawn lower, so that the list stays on the screen.
const LANE_TALL_PX = 34, LANE_LOW_PX = 24, MANY_LANES = 10;
const RULER_PX = 26, DRAG_PX = 4;
const HEIGHTS = { critical: 20, major: 16, minor: 12 };
const STAGE = document.getElementById("stage"), CANVAS = document.getElementById("canvas");
const OVERVIEW = document.getElementById("overview"), TIP = document.getElementById("tip");
const WHOLE_S = PROGRAMME.end_s - PROGRAMME.start_s;
// Closer than about two frames across the screen shows nothing new.
const NEAREST_S = Math.min(WHOLE_S, 0.1);

function lanes() {
  const loud = (name) => BY_DETECTOR.get(name).length > 0 || ["fail", "warn", "inconclusive", "not_judged"].includes(verdictOf(name));
  const order = { fail: 0, warn: 1, inconclusive: 2, not_judged: 3, pass: 4, not_applicable: 5 };
  const all = [...DETECTORS].sort((a, b) => loud(b) - loud(a) || order[verdictOf(a)] - order[verdictOf(b)]);
  return STATE.quiet || !DETECTORS.some(loud) ? all : all.filter(loud);
}

function lanePx() {
  return lanes().length > MANY_LANES ? LANE_LOW_PX : LANE_TALL_PX;
}

function setView(start_s, span_s) {
  const span = Math.min(WHOLE_S, Math.max(NEAREST_S, span_s));
  const start = Math.min(PROGRAMME.end_s - span, Math.max(PROGRAMME.start_s, start_s));
  update({ view: { start_s: start, end_s: start + span } });
}

function zoom(factor, centre_s) {
  const { start_s, end_s } = STATE.view;
  const centre = centre_s ?? (start_s + end_s) / 2;
  setView(centre - (centre - start_s) * factor, (end_s - start_s) * factor);
}

function pan(screens) {
  const { start_s, end_s } = STATE.view;
  setView(start_s + (end_s - start_s) * screens, end_s - start_s);
}

function zoomTo(finding) {
  const span = Math.max(finding.length_s * 3, 2);
  setView((finding.start_s + finding.end_s - span) / 2, span);
}

// Keeps the selection in sight without moving the view when it already is.
function reveal(finding) {
  const { start_s, end_s } = STATE.view;
  if (finding.end_s < start_s || finding.start_s > end_s) {
    setView((finding.start_s + finding.end_s - (end_s - start_s)) / 2, end_s - start_s);
  }
}

function timeAt(x) {
  const { start_s, end_s } = STATE.view;
  return start_s + (x / CANVAS.clientWidth) * (end_s - start_s);
}

function drawRuler(pen, width, height) {
  const { start_s, end_s } = STATE.view;
  const step = niceStep(((end_s - start_s) * 92) / width, true);
  const decimals = step >= 1 ? 0 : Math.min(3, Math.ceil(-Math.log10(step) - 1e-9));
  pen.fillStyle = colours.muted;
  pen.strokeStyle = colours.rule;
  pen.lineWidth = 1;
  pen.textAlign = "left";
  for (let k = Math.ceil(start_s / step); k * step <= end_s; k++) {
    const x = Math.round(((k * step - start_s) / (end_s - start_s)) * width) + 0.5;
    pen.beginPath(); pen.moveTo(x, 8); pen.lineTo(x, height); pen.stroke();
    const label = clock(k * step, decimals);
    if (x + 4 + pen.measureText(label).width < width) pen.fillText(label, x + 4, 17);
  }
}

// Everything but the selection is drawn once for a view and kept: moving through findings is cheap.
const KEPT = { key: "", shown: null, canvas: document.createElement("canvas") };

function boxOf(finding, lane, xOf, LANE_PX) {
  const high = (HEIGHTS[finding.severity] ?? 12) * (LANE_PX / LANE_TALL_PX);
  const x = xOf(finding.start_s), y = RULER_PX + lane * LANE_PX + (LANE_PX - high) / 2;
  return [x, y, Math.max(3, xOf(finding.end_s) - x), high];
}

function drawLanes(pen, names, width, height, LANE_PX, xOf) {
  const { start_s, end_s } = STATE.view, shown = new Set(STATE.shown);
  drawRuler(pen, width, height);
  names.forEach((name, lane) => {
    const top = RULER_PX + lane * LANE_PX;
    pen.strokeStyle = colours.rule;
    pen.beginPath(); pen.moveTo(0, top + 0.5); pen.lineTo(width, top + 0.5); pen.stroke();
    for (const [, curve] of curvesOf(name)) {
      drawCurve(pen, curve, { x: 0, y: top + 4, width, height: LANE_PX - 8 }, STATE.view);
    }
    // Minor first, so that the worst is never hidden behind the least.
    const bars = BY_DETECTOR.get(name).filter((f) => f.end_s >= start_s && f.start_s <= end_s);
    bars.sort((a, b) => a.rank - b.rank);
    for (const finding of bars) {
      pen.globalAlpha = shown.has(finding) ? 0.82 : 0.14;
      pen.fillStyle = colours[finding.severity];
      pen.fillRect(...boxOf(finding, lane, xOf, LANE_PX));
    }
    pen.globalAlpha = 1;
  });
}

function drawTimeline() {
  const names = lanes(), width = CANVAS.clientWidth, LANE_PX = lanePx();
  const height = RULER_PX + LANE_PX * names.length;
  const { start_s, end_s } = STATE.view;
  const xOf = (t) => ((t - start_s) / (end_s - start_s)) * width;
  const pen = prepare(CANVAS, width, height);
  const key = [start_s, end_s, CANVAS.width, CANVAS.height, names, ...Object.values(colours)].join();
  if (key !== KEPT.key || KEPT.shown !== STATE.shown) {
    Object.assign(KEPT, { key, shown: STATE.shown });
    drawLanes(prepare(KEPT.canvas, width, height), names, width, height, LANE_PX, xOf);
    drawOverview();
  }
  if (CANVAS.width && CANVAS.height) pen.drawImage(KEPT.canvas, 0, 0, width, height);
  const chosen = FINDINGS[STATE.selected], lane = chosen ? names.indexOf(chosen.detector) : -1;
  if (lane >= 0 && chosen.end_s >= start_s && chosen.start_s <= end_s) {
    const [x, y, wide, high] = boxOf(chosen, lane, xOf, LANE_PX);
    pen.strokeStyle = colours.text;
    pen.lineWidth = 2;
    pen.strokeRect(x - 2, y - 2, wide + 4, high + 4);
  }
  byId("labels").style.setProperty("--lane", LANE_PX + "px");
  const title = `Timeline of ${names.length} detectors with ${FINDINGS.length} findings from ${clock(start_s, 0)} to ${clock(end_s, 0)}; the list of findings has the same facts.`;
  CANVAS.setAttribute("aria-label", title);
  STAGE.dataset.startS = start_s;
  STAGE.dataset.endS = end_s;
  byId("window").textContent = clock(start_s, 1) + " – " + clock(end_s, 1);
  drawPlayhead(headS);
}

// Only the line moves while media plays: the lanes are not drawn again.
let headS = null;
function drawPlayhead(time_s) {
  headS = time_s;
  const { start_s, end_s } = STATE.view, place = byId("playhead");
  place.hidden = time_s === null || time_s < start_s || time_s > end_s;
  if (!place.hidden) place.style.transform = `translateX(${((time_s - start_s) / (end_s - start_s)) * CANVAS.clientWidth}px)`;
}

function drawOverview() {
  const width = OVERVIEW.clientWidth, height = 22;
  const pen = prepare(OVERVIEW, width, height);
  const xOf = (t) => ((t - PROGRAMME.start_s) / WHOLE_S) * width;
  for (const severity of SEVERITIES) {
    pen.fillStyle = colours[severity];
    for (const f of STATE.shown) {
      if (f.severity === severity) pen.fillRect(xOf(f.start_s), 6, Math.max(1.5, xOf(f.end_s) - xOf(f.start_s)), height - 12);
    }
  }
  const left = xOf(STATE.view.start_s), right = xOf(STATE.view.end_s);
  pen.fillStyle = colours.band;
  pen.fillRect(0, 0, left, height);
  pen.fillRect(right, 0, width - right, height);
  pen.strokeStyle = colours.accent;
  pen.lineWidth = 2;
  pen.strokeRect(left + 1, 1, Math.max(2, right - left - 2), height - 2);
}

// The finding under a point: the smallest of those within reach, so that short ones can be hit.
function findingAt(x, y) {
  const name = lanes()[Math.floor((y - RULER_PX) / lanePx())];
  if (name === undefined || y < RULER_PX) return null;
  const reach = timeAt(4) - timeAt(0), time = timeAt(x);
  const hit = BY_DETECTOR.get(name).filter((f) => f.start_s - reach <= time && time <= f.end_s + reach);
  const shown = new Set(STATE.shown);
  return hit.filter((f) => shown.has(f)).sort((a, b) => a.length_s - b.length_s)[0] ?? null;
}

function showTip(event) {
  const finding = findingAt(event.offsetX, event.offsetY);
  TIP.replaceChildren();
  TIP.hidden = false;
  if (finding) {
    const badge = element("span", { class: "badge " + finding.severity }, finding.severity);
    TIP.append(badge, " " + words(finding.defect), element("br"), element("span", { class: "time" }, spanOf(finding).join(" – ")));
    const line = summary(finding);
    if (line) TIP.append(element("br"), element("span", { class: "muted" }, line));
  } else {
    TIP.append(element("span", { class: "time" }, clock(timeAt(event.offsetX))));
  }
  const x = Math.min(event.offsetX + 14, STAGE.clientWidth - TIP.offsetWidth - 4);
  // Near the lower edge the tip stands above the pointer, else the section would cut it off.
  const below = event.offsetY + 16 + TIP.offsetHeight <= STAGE.clientHeight;
  const y = below ? event.offsetY + 16 : Math.max(0, event.offsetY - TIP.offsetHeight - 10);
  TIP.style.transform = `translate(${Math.max(0, x)}px, ${y}px)`;
}

function startTimeline(pick) {
  let grip = null;
  CANVAS.addEventListener("pointerdown", (event) => {
    grip = { x: event.clientX, start_s: STATE.view.start_s, moved: false };
    CANVAS.setPointerCapture(event.pointerId);
  });
  CANVAS.addEventListener("pointermove", (event) => {
    if (!grip) return showTip(event);
    const moved = event.clientX - grip.x;
    if (Math.abs(moved) > DRAG_PX) grip.moved = true;
    if (!grip.moved) return undefined;
    TIP.hidden = true;
    STAGE.classList.add("dragging");
    const span = STATE.view.end_s - STATE.view.start_s;
    return setView(grip.start_s - (moved / CANVAS.clientWidth) * span, span);
  });
  const release = (event) => {
    const moved = !grip || grip.moved;
    const finding = grip && !grip.moved && event.type === "pointerup" ? findingAt(event.offsetX, event.offsetY) : null;
    grip = null;
    STAGE.classList.remove("dragging");
    if (finding) pick(finding);
    else if (event.type === "pointerup" && !moved && event.offsetY >= 0) seek(timeAt(event.offsetX));
  };
  CANVAS.addEventListener("pointerup", release);
  CANVAS.addEventListener("pointercancel", release);
  CANVAS.addEventListener("pointerleave", () => { TIP.hidden = true; });
  CANVAS.addEventListener("dblclick", (event) => zoom(0.25, timeAt(event.offsetX)));
  CANVAS.addEventListener("wheel", (event) => {
    const span = STATE.view.end_s - STATE.view.start_s;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) / 120), timeAt(event.offsetX));
    } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      setView(STATE.view.start_s + ((event.deltaX || event.deltaY) / CANVAS.clientWidth) * span, span);
    }
  }, { passive: false });
  const centre = (event) => {
    if (event.type === "pointerdown") OVERVIEW.setPointerCapture(event.pointerId);
    if (!event.buttons) return;
    const span = STATE.view.end_s - STATE.view.start_s;
    setView(PROGRAMME.start_s + (event.offsetX / OVERVIEW.clientWidth) * WHOLE_S - span / 2, span);
  };
  OVERVIEW.addEventListener("pointerdown", centre);
  OVERVIEW.addEventListener("pointermove", centre);
  document.getElementById("zoom-in").addEventListener("click", () => zoom(0.5));
  document.getElementById("zoom-out").addEventListener("click", () => zoom(2));
  document.getElementById("zoom-all").addEventListener("click", () => setView(PROGRAMME.start_s, WHOLE_S));
  new ResizeObserver(drawTimeline).observe(STAGE);
  COLOUR_LISTENERS.push(drawTimeline);
}
