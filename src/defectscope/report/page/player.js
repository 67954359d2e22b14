// The viewer: the media where it can be played, else the frames that came with the report.
const VIDEO = byId("video"), STILL = byId("still"), OVERLAY = byId("overlay"), FRAME = byId("frame");
const LONGEST_SEEK_MS = 3000;
const HANDLES_S = [0, 0.5, 1, 2, 5];
const PLAYER = { ready: false, wanted_s: null, next_s: null, begun_ms: 0, moment: "at", over: true, loop: false, handle_s: 1 };

function say(text) {
  byId("note").textContent = text;
  byId("note").hidden = !text;
}

function hereS() {
  return PLAYER.wanted_s ?? (PLAYER.ready ? VIDEO.currentTime : 0);
}

function current() {
  return FINDINGS[STATE.selected] ?? null;
}

function loopOf(finding) {
  const end = Math.max(finding.end_s, finding.start_s + 0.04) + PLAYER.handle_s;
  return [Math.max(0, finding.start_s - PLAYER.handle_s), Number.isFinite(VIDEO.duration) ? Math.min(VIDEO.duration - 0.01, end) : end];
}

// One seek at a time: a browser that is told of another while it seeks may never come back to any.
// Only the latest wish is kept; a seek that has not ended for long is given up.
function seekTo(time_s) {
  if (VIDEO.seeking && performance.now() - PLAYER.begun_ms < LONGEST_SEEK_MS) { PLAYER.next_s = time_s; return; }
  PLAYER.next_s = null;
  PLAYER.begun_ms = performance.now();
  VIDEO.currentTime = time_s;
}

function sought() {
  if (PLAYER.next_s !== null) seekTo(PLAYER.next_s);
  else if (VIDEO.paused) drawClock();
}

// The middle of the frame at an instant, so that a player shows that frame and no neighbour.
function seek(time_s) {
  const at = RATE_FPS ? middleOf(Math.max(0, frameAt(time_s))) : Math.max(0, time_s);
  if (PLAYER.ready) seekTo(at);
  PLAYER.wanted_s = at;
  PLAYER.moment = null;
  drawViewer();
}

function step(frames) {
  if (!PLAYER.ready) return;
  VIDEO.pause();
  seek(RATE_FPS ? middleOf(Math.max(0, frameAt(hereS()) + frames)) : hereS() + frames * 0.04);
}

function toggle() {
  if (!PLAYER.ready) return;
  if (!VIDEO.paused) { VIDEO.pause(); return; }
  const finding = current();
  if (finding && (PLAYER.loop || PLAYER.moment)) {
    const [from, to] = loopOf(finding), here = VIDEO.currentTime;
    if (PLAYER.moment || here < from || here >= to) seekTo(from);
  }
  PLAYER.moment = PLAYER.wanted_s = null;
  VIDEO.play().catch(() => say("This browser cannot play the file. A small copy helps: defectscope report REPORT.json --html OUT --media FILE --proxy"));
}

function setLoop(on) {
  PLAYER.loop = on;
  byId("loop").setAttribute("aria-pressed", String(on));
  if (on && PLAYER.ready && VIDEO.paused) toggle();
}

// While it plays: the end of the loop, the clock and the playhead.
function follow() {
  if (VIDEO.paused) return;
  const finding = current();
  if (PLAYER.loop && finding) {
    const [from, to] = loopOf(finding);
    if (!VIDEO.seeking && (VIDEO.currentTime >= to || VIDEO.currentTime < from - 0.5)) seekTo(from);
  }
  drawClock();
  requestAnimationFrame(follow);
}

function drawClock() {
  const moment = PLAYER.moment, still = current()?.still;
  const at = moment && still?.[moment + "_s"] !== undefined ? still[moment + "_s"] : hereS();
  byId("now").textContent = timecode(at);
  drawPlayhead(PLAYER.ready || moment ? at : null);
}

const MOMENTS = { before: "before", at: "worst moment", after: "after" };

function drawStrip(finding) {
  const still = finding?.still;
  byId("strip").hidden = !still || !(still.before || still.after);
  if (byId("strip").hidden) return;
  byId("strip").replaceChildren(...Object.entries(MOMENTS).map(([name, label]) => {
    const image = jpeg(still[name], `Frame ${label}`);
    if (!image) return element("span", { class: "none" }, name === "before" ? "begins the programme" : "ends the programme");
    const button = element("button", { type: "button", "data-moment": name, on: { click: () => showMoment(name) } }, image, element("span", {}, label, " ", element("span", { class: "time" }, timecode(still[name + "_s"]))));
    return button;
  }));
}

function showMoment(name) {
  const still = current()?.still;
  if (!still?.[name]) return;
  VIDEO.pause();
  seek(still[name + "_s"]);
  PLAYER.moment = name;
  drawViewer();
}

function drawViewer() {
  const finding = current(), still = finding?.still, moment = PLAYER.moment;
  const source = moment && still ? jpeg(still[moment], "") : null;
  STILL.hidden = !source;
  if (source && STILL.src !== source.src) STILL.src = source.src;
  VIDEO.hidden = !PLAYER.ready;
  const marks = finding ? overlays(finding.evidence) : [];
  const near = still && RATE_FPS && frameAt(hereS()) === frameAt(still.at_s);
  const drawn = PLAYER.over && marks.length > 0 && (moment === "at" || (!moment && (near || !PLAYER.ready)));
  OVERLAY.hidden = !drawn;
  FRAME.classList.toggle("blank", !source && !PLAYER.ready);
  byId("over").hidden = marks.length === 0;
  byId("over").setAttribute("aria-pressed", String(PLAYER.over));
  const parts = [];
  if (finding && moment) parts.push(still?.[moment] ? `${MOMENTS[moment]} · ${clock(still[moment + "_s"])}` : withoutFrame());
  if (drawn) parts.push("drawn over it: " + marks.join(", "));
  byId("shown").textContent = parts.join(" · ");
  OVERLAY.setAttribute("aria-label", "Drawn over the frame: " + marks.join(", "));
  STILL.alt = finding ? `Frame of ${words(finding.defect)} at ${spanOf(finding)[0]}` : "";
  for (const button of byId("strip").querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.moment === moment));
  if (drawn) drawOverlay(OVERLAY, finding.evidence, FRAME.clientWidth, FRAME.clientHeight);
  drawClock();
}

function withoutFrame() {
  if (REPORT.asset.video) return "no frame at hand";
  return (REPORT.tracks ?? []).some((track) => track.medium === "video") ? "its video is not decoded" : "sound only";
}

function viewFinding() {
  const finding = current();
  PLAYER.moment = finding ? "at" : null;
  if (finding) {
    const at = finding.still?.at_s ?? finding.start_s;
    PLAYER.wanted_s = RATE_FPS ? middleOf(Math.max(0, frameAt(at))) : at;
    if (PLAYER.ready && (VIDEO.paused || !PLAYER.loop)) { VIDEO.pause(); seekTo(PLAYER.wanted_s); }
    else if (PLAYER.ready) { seekTo(loopOf(finding)[0]); PLAYER.moment = PLAYER.wanted_s = null; }
    if (!finding.still) PLAYER.moment = PLAYER.ready ? null : "at";
  }
  drawStrip(finding);
  drawViewer();
}

function load(address) {
  PLAYER.ready = false;
  PLAYER.next_s = null;
  say("");
  VIDEO.src = address;
}

function startPlayer() {
  const video = REPORT.asset.video;
  const [across, down] = String(REPORT.facts?.display_aspect ?? "").split(":").map(Number);
  const ratio = across > 0 && down > 0 ? across / down : video ? video.width / video.height : 16 / 3;
  FRAME.style.setProperty("--ratio", String(ratio));
  byId("viewer").classList.toggle("sound-only", !video);
  byId("handles").append(...HANDLES_S.map((s) => element("option", { value: s }, `± ${s} s`)));
  byId("handles").value = PLAYER.handle_s;
  byId("handles").addEventListener("change", (event) => { PLAYER.handle_s = Number(event.target.value); });
  byId("play").addEventListener("click", toggle);
  byId("back").addEventListener("click", () => step(-1));
  byId("on").addEventListener("click", () => step(1));
  byId("loop").addEventListener("click", () => setLoop(!PLAYER.loop));
  byId("over").addEventListener("click", toggleOverlay);
  byId("open").addEventListener("click", () => byId("file").click());
  byId("file").addEventListener("change", (event) => {
    const [file] = event.target.files;
    if (file) load(URL.createObjectURL(file));
  });
  FRAME.addEventListener("click", toggle);
  VIDEO.addEventListener("loadedmetadata", () => {
    PLAYER.ready = true;
    if (PLAYER.wanted_s !== null) seekTo(PLAYER.wanted_s);
    drawTransport();
    drawViewer();
  });
  VIDEO.addEventListener("error", () => {
    PLAYER.ready = false;
    say(DATA.media || VIDEO.src.startsWith("blob:") ? "This browser cannot play the media. A small copy beside the page helps: --proxy." : "");
    drawTransport();
    drawViewer();
  });
  VIDEO.addEventListener("play", () => { drawTransport(); drawViewer(); requestAnimationFrame(follow); });
  VIDEO.addEventListener("pause", () => { drawTransport(); drawClock(); });
  VIDEO.addEventListener("seeked", sought);
  new ResizeObserver(drawViewer).observe(FRAME);
  startChannels();
  drawTransport();
  if (DATA.media) load(DATA.media.src);
  else if (REPORT.asset.audio && !video) say("No media beside this page: “Open media…” plays a file of yours.");
}

function toggleOverlay() {
  PLAYER.over = !PLAYER.over;
  drawViewer();
}

function drawTransport() {
  byId("play").textContent = VIDEO.paused ? "▶" : "❚❚";
  byId("play").setAttribute("aria-label", VIDEO.paused ? "Play" : "Pause");
  for (const id of ["play", "back", "on", "loop", "handles"]) byId(id).disabled = !PLAYER.ready;
  for (const button of byId("channels").children) button.disabled = !PLAYER.ready;
}
