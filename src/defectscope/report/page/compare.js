// Two versions of a title at one frame: switched, or wiped; curves one above the other.
const DATA = JSON.parse(byId("data").textContent);
const FRAMES = DATA.base_frames, LENGTH_S = FRAMES / DATA.base_fps;
const BASE = byId("base"), CANDIDATE = byId("candidate"), STAGE = byId("stage");
const LANES = [];
let frame = 0, mode = "wipe", playing = false;

// Frames are pairs in runs [baseline's first, candidate's first, how many]; between runs there is none.
function pairOf(at) {
  let low = 0, high = DATA.runs.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (DATA.runs[middle][0] <= at) low = middle; else high = middle - 1;
  }
  const [first, other, count] = DATA.runs[low] ?? [0, 0, 0];
  return at >= first && at < first + count ? other + at - first : null;
}

// The middle of a frame, so that rounding never shows a neighbour.
const middleOf = (at, fps) => (at + 0.5) / fps;

function wanted(at) {
  const own = pairOf(at);
  return own === null ? null : middleOf(own, DATA.candidate_fps);
}

function show(wish, { seek = true } = {}) {
  frame = Math.max(0, Math.min(FRAMES - 1, Math.round(wish)));
  const own = pairOf(frame);
  if (seek) {
    BASE.currentTime = middleOf(frame, DATA.base_fps);
    if (own !== null) CANDIDATE.currentTime = wanted(frame);
  }
  byId("seek").value = String(frame);
  byId("now").textContent = clock(frame / DATA.base_fps);
  byId("shown").textContent = `frame ${frame} of the baseline` + (own === null ? ", which the candidate does not have" : `, ${own} of the candidate` + measured(frame));
  STAGE.dataset.pair = own === null ? "none" : String(own);
  for (const draw of LANES) draw();
}

function measured(at) {
  const k = DATA.every ? Math.floor(at / DATA.every) : 0, parts = [];
  for (const [name, unit] of [["psnr_db", " dB"], ["ssim", ""], ["xpsnr_db", " dB"]]) {
    const curve = DATA.quality[name];
    if (curve?.min[k] !== undefined && curve.min[k] !== null) parts.push(`${name.split("_")[0].toUpperCase()} ${number(curve.min[k])}${unit}`);
  }
  return parts.length ? " · " + parts.join(" · ") : "";
}


function setMode(next) {
  mode = next;
  STAGE.classList.toggle("only-base", mode === "base");
  for (const name of ["base", "candidate", "wipe"]) byId("show-" + name).setAttribute("aria-pressed", String(mode === name));
  byId("wipe-at").hidden = byId("edge").hidden = mode !== "wipe";
  setEdge(Number(byId("wipe").value));
}

function setEdge(percent) {
  CANDIDATE.style.clipPath = mode === "wipe" ? `inset(0 0 0 ${percent}%)` : "none";
  byId("edge").style.left = percent + "%";
}

function goTo(at) {
  playing = false;
  byId("play").textContent = "Play";
  BASE.pause();
  CANDIDATE.pause();
  show(at);
}

function setPlaying(next) {
  playing = next;
  byId("play").textContent = playing ? "Pause" : "Play";
  if (!playing) {
    goTo(frame);
    return;
  }
  Promise.all([BASE.play(), CANDIDATE.play()]).then(() => requestAnimationFrame(follow), () => setPlaying(false));
}

// The candidate follows the baseline; by more than a frame apart, it is put right.
function follow() {
  if (!playing) return;
  if (BASE.ended) { setPlaying(false); return; }
  show(Math.floor(BASE.currentTime * DATA.base_fps + 1e-3), { seek: false });
  const due = wanted(frame);
  if (due !== null && !CANDIDATE.seeking && Math.abs(CANDIDATE.currentTime - due) > 1.5 / DATA.candidate_fps) CANDIDATE.currentTime = due;
  requestAnimationFrame(follow);
}

function lane(title, curves, range) {
  const canvas = element("canvas", { role: "img", "aria-label": title });
  const told = element("span", { class: "number" }, range);
  byId("lanes").append(element("div", { class: "lane" }, element("h3", {}, element("span", {}, title), told), canvas));
  const draw = () => {
    const width = Math.max(120, canvas.clientWidth), height = 46 * curves.length;
    const pen = prepare(canvas, width, height), view = { start_s: 0, end_s: LENGTH_S };
    curves.forEach((curve, k) => {
      const box = { x: 0, y: 46 * k + 4, width, height: 36 };
      drawCurve(pen, curve, box, view);
      if (curve.name) { pen.fillStyle = colours.muted; pen.fillText(curve.name, 4, box.y + 10); }
    });
    pen.fillStyle = colours.accent;
    pen.fillRect((frame / DATA.base_fps / LENGTH_S) * width - 1, 0, 2, height);
  };
  canvas.addEventListener("pointerdown", (event) => show((event.offsetX / canvas.clientWidth) * FRAMES));
  LANES.push(draw);
}

function fill() {
  const verdict = DATA.verdict;
  byId("stamp").textContent = verdict;
  byId("stamp").className = "stamp " + (["worse", "better"].includes(verdict) ? verdict : "same");
  byId("asset").textContent = `${DATA.names[1]} beside ${DATA.names[0]}`;
  byId("reasons").textContent = DATA.reasons.join("; ");
  byId("seek").max = String(FRAMES - 1);
  for (const moment of DATA.worst) {
    const button = element("button", { type: "button" }, `${clock(moment.time_s)} · SSIM ${number(moment.ssim)} · PSNR ${number(moment.psnr_db)} dB`);
    button.addEventListener("click", () => goTo(moment.base_frame));
    byId("worst").append(element("li", {}, button));
  }
  if (!DATA.worst.length) byId("worst").append(element("li", { class: "muted" }, "not measured"));
  for (const change of DATA.changes) {
    const button = element("button", { type: "button" }, element("span", { class: "status " + change.status }, change.status), ` ${words(change.defect)}, ${change.severity} · ${clock(change.start_s)}`);
    button.addEventListener("click", () => goTo(change.start_s * DATA.base_fps));
    byId("changes").append(element("li", {}, button));
  }
  if (!DATA.changes.length) byId("changes").append(element("li", { class: "muted" }, "none"));
  for (const [name, value] of DATA.alignment) byId("alignment").append(element("dt", {}, name), element("dd", {}, value));
  for (const [name, curve] of Object.entries(DATA.quality)) lane(name.split("_")[0].toUpperCase() + (name.endsWith("_db") ? " (dB)" : ""), [curve], `${number(Math.min(...curve.min))} to ${number(Math.max(...curve.max))}`);
  for (const { detector, curves } of DATA.scores) lane(words(detector), curves, "baseline above, candidate below");
}

function source(video, address) {
  video.src = address;
  video.addEventListener("loadedmetadata", () => show(frame), { once: true });
}

function start() {
  startTheme();
  fill();
  [BASE, CANDIDATE].forEach((video, k) => {
    const name = ["base", "candidate"][k];
    if (DATA.media[k]) source(video, DATA.media[k]);
    video.addEventListener("error", () => {
      byId("note").textContent = `The browser cannot play the ${k ? "candidate" : "baseline"} (${DATA.names[k]}).`;
      byId("note").hidden = byId("open").hidden = false;
    });
    byId("open-" + name).addEventListener("change", (event) => {
      byId("note").hidden = true;
      source(video, URL.createObjectURL(event.target.files[0]));
    });
  });
  byId("open").hidden = DATA.media.every(Boolean);
  byId("play").addEventListener("click", () => setPlaying(!playing));
  byId("back").addEventListener("click", () => goTo(frame - 1));
  byId("on").addEventListener("click", () => goTo(frame + 1));
  byId("seek").addEventListener("input", (event) => goTo(Number(event.target.value)));
  byId("wipe").addEventListener("input", (event) => setEdge(Number(event.target.value)));
  for (const name of ["base", "candidate", "wipe"]) byId("show-" + name).addEventListener("click", () => setMode(name));
  const keys = { a: () => setMode("base"), b: () => setMode("candidate"), w: () => setMode("wipe"), ",": () => byId("back").click(), ".": () => byId("on").click(), " ": () => setPlaying(!playing) };
  document.addEventListener("keydown", (event) => {
    if (event.target.closest("input, button, select") && event.key === " ") return;
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  COLOUR_LISTENERS.push(() => { for (const draw of LANES) draw(); });
  addEventListener("resize", () => { for (const draw of LANES) draw(); });
  setMode("wipe");
  show(DATA.worst[0]?.base_frame ?? 0);
}
start();
