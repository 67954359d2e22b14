"use strict";
// One item is shown at a time. An answer counts once the server says that it is on disk; until then
// the item stays, so that nothing is lost when the server is gone.
const STEP_S = 0.1, CELL = 0.05;
const $ = (id) => document.getElementById(id);
const state = { items: [], answers: new Map(), defects: {}, reviewer: "" };
let current = null, shownAt = 0, mode = "", busy = false, urls = [];
let ends = [0, 0], side = 0, region = [0.25, 0.25, 0.5, 0.5], named = "";

async function load() {
  const body = await call("/api/queue");
  Object.assign(state, { items: body.items, defects: body.defects, reviewer: body.reviewer });
  state.answers = new Map(Object.entries(body.answers));
  next();
}

async function call(path, data) {
  const options = data === undefined ? {} :
    { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(data) };
  const answer = await fetch(path, options);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error ? body.error.message : `status ${answer.status}`);
  return body;
}

function next() {
  show(state.items.find((item) => !state.answers.has(item.id)) || null);
}

function show(item) {
  current = item; mode = ""; named = ""; shownAt = performance.now();
  for (const url of urls) URL.revokeObjectURL(url);
  urls = [];
  $("item").hidden = item === null;
  $("done").hidden = item !== null;
  $("count").textContent = `${state.answers.size} of ${state.items.length}`;
  $("progress").max = Math.max(state.items.length, 1);
  $("progress").value = state.answers.size;
  $("who").textContent = `reviewer ${state.reviewer}`;
  if (item === null) return;
  document.body.dataset.item = item.id;
  ends = [item.start_s, item.end_s];
  const offered = state.defects[item.detector] || [];
  $("asked").textContent = item.defect ? `Is there ${plain(item.defect)}?` : `Is anything wrong here (${offered.map(plain).join(", ")})?`;
  $("title").textContent = item.title;
  $("yes").hidden = !item.defect && offered.length !== 1;
  $("others").replaceChildren(...offered.map((name, k) => {
    const span = document.createElement("span"), key = document.createElement("kbd");
    key.textContent = String(k + 1);
    span.append(key, ` ${plain(name)} `);
    return span;
  }));
  $("measured").replaceChildren(...Object.entries(item.evidence).map(([name, value]) => {
    const row = document.createElement("div"), dt = document.createElement("dt"), dd = document.createElement("dd");
    dt.textContent = name.replaceAll("_", " ");
    dd.textContent = String(value);
    row.append(dt, dd);
    return row;
  }));
  for (const [box, name] of [["strip", "strip.jpg"], ["map", "map.jpg"], ["spectrogram", "spectrogram.jpg"]]) {
    $(`${box}-box`).hidden = !item.files.includes(name);
    if (item.files.includes(name)) $(box).src = `/evidence/${item.id}/${name}`;
  }
  $("bare").hidden = item.files.length > 0;
  $("clip-box").hidden = !item.files.includes("clip.mp4");
  $("region").hidden = true;
  for (const [player, name] of [["clip", "clip.mp4"], ["sound", "clip.wav"]]) bring(item, player, name);
  tell();
}

async function bring(item, player, name) {
  $(player).removeAttribute("src");
  if (!item.files.includes(name)) return;
  const answer = await fetch(`/evidence/${item.id}/${name}`);
  if (!answer.ok || item !== current) return;
  const url = URL.createObjectURL(await answer.blob());
  urls.push(url);
  $(player).src = url;
}

function plain(name) { return name.replaceAll("_", " "); }
function clock(s) { return `${Math.floor(s / 60)}:${(s % 60).toFixed(2).padStart(5, "0")}`; }

function tell() {
  $("where").textContent = `${clock(ends[0])} to ${clock(ends[1])}`;
  const about = named || current.defect;
  const texts = {
    "": "",
    ends: `${plain(about)}: ${side ? "end" : "beginning"} ${clock(ends[side])}. Left and right move it by 0.1 s (Shift 1 s), Tab changes to the other, Enter keeps, Esc leaves.`,
    region: "Arrows move the frame, Shift and arrows resize it, Enter keeps, Esc leaves.",
  };
  $("mode").textContent = texts[mode];
  $("region").hidden = mode !== "region";
  const [x, y, w, h] = region;
  Object.assign($("region").style, { left: `${x * 100}%`, top: `${y * 100}%`, width: `${w * 100}%`, height: `${h * 100}%` });
}

async function answer(word, more = {}) {
  if (busy || current === null) return;
  busy = true;
  const item = current, seconds = (performance.now() - shownAt) / 1000;
  try {
    await call("/api/label", { item: item.id, answer: word, seconds: Math.round(seconds * 1000) / 1000, ...more });
    state.answers.set(item.id, word);
    $("fault").hidden = true;
    next();
  } catch (error) {
    fault(error);
  } finally {
    busy = false;
  }
}

async function undo() {
  if (busy) return;
  busy = true;
  try {
    const { undone } = await call("/api/undo", {});
    state.answers.delete(undone);
    $("fault").hidden = true;
    show(state.items.find((item) => item.id === undone) || null);
  } catch (error) {
    fault(error);
  } finally {
    busy = false;
  }
}

function fault(error) {
  const gone = error instanceof TypeError;
  $("fault").textContent = gone ? "Not saved: the server does not answer. Start it again and press the key once more." : `Not saved: ${error.message}`;
  $("fault").hidden = false;
}

function there() {
  const about = named || current.defect || only();
  if (about) answer("true", { defect: about });
  else { fault(new Error("say which by its number")); }
}

function only() {
  const offered = state.defects[current.detector] || [];
  return offered.length === 1 ? offered[0] : "";
}

function play() {
  const player = $("clip").src ? $("clip") : $("sound");
  if (!player.src) return;
  if (player.paused) player.play().catch(() => {});
  else player.pause();
}

function inEnds(event) {
  const by = (event.shiftKey ? 10 : 1) * STEP_S;
  const move = { ArrowLeft: -by, ArrowRight: by }[event.key];
  if (move !== undefined) {
    const low = side ? ends[0] : 0, high = side ? Infinity : ends[1];
    ends[side] = Math.round(Math.min(high, Math.max(low, ends[side] + move)) * 1000) / 1000;
  } else if (event.key === "Tab") side = 1 - side;
  else if (event.key === "Enter") {
    answer("wrong_ends", { defect: named || current.defect || only(), start_s: ends[0], end_s: ends[1] });
    return;
  } else return;
  tell();
}

function inRegion(event) {
  const at = { ArrowLeft: [0, -CELL], ArrowRight: [0, CELL], ArrowUp: [1, -CELL], ArrowDown: [1, CELL] }[event.key];
  if (event.key === "Enter") {
    answer("true", { defect: named || current.defect || only(), region: region.map((v) => Math.round(v * 1000) / 1000) });
    return;
  }
  if (!at) return;
  const [axis, by] = at;
  if (event.shiftKey) region[axis + 2] = Math.min(1 - region[axis], Math.max(CELL, region[axis + 2] + by));
  else region[axis] = Math.min(1 - region[axis + 2], Math.max(0, region[axis] + by));
  tell();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat && mode === "") return;
  const key = event.key.toLowerCase();
  if (key === "z") { event.preventDefault(); undo(); return; }
  if (current === null) return;
  if (mode !== "") {
    event.preventDefault();
    if (event.key === "Escape") { mode = ""; ends = [current.start_s, current.end_s]; tell(); }
    else if (mode === "ends") inEnds(event);
    else inRegion(event);
    return;
  }
  const offered = state.defects[current.detector] || [];
  const number = Number(key);
  if (key === " ") play();
  else if (key === "t") there();
  else if (key === "f") answer("false");
  else if (key === "u") answer("unsure");
  else if (key === "e" && (current.defect || only())) { mode = "ends"; side = 0; tell(); }
  else if (key === "d" && (current.defect || only())) { mode = "region"; tell(); }
  else if (number >= 1 && number <= offered.length) answer("true", { defect: offered[number - 1] });
  else return;
  event.preventDefault();
});

for (const player of [$("clip"), $("sound")]) {
  player.addEventListener("timeupdate", () => {
    if (player.duration) $("playhead").style.left = `${100 * player.currentTime / player.duration}%`;
  });
}
load().catch(fault);
