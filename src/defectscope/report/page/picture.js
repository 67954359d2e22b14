// A finding's frame with what was measured drawn over it: probability map, boxes, rows, points.
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

function jpeg(text, alt) {
  if (typeof text !== "string" || !BASE64.test(text)) return null;
  return element("img", { src: "data:image/jpeg;base64," + text, alt, decoding: "async" });
}

function isNumbers(value) {
  return Array.isArray(value) && value.length > 0 && value.every((v) => typeof v === "number");
}

function isMap(value) {
  return Array.isArray(value) && value.length > 0 && value.every((row) => isNumbers(row) && row.length === value[0].length);
}

// [x, y, width, height] in source pixels, wherever the evidence keeps them.
function boxesOf(evidence) {
  const boxes = [];
  const take = (box, label) => { if (isNumbers(box) && box.length === 4) boxes.push({ box, label }); };
  for (const [name, value] of Object.entries(evidence)) {
    if (name.endsWith("box_px")) take(value, labelAndUnit(name)[0].replace(/ ?box$/, ""));
    if (name.endsWith("boxes_px") && Array.isArray(value)) value.forEach((box) => take(box, ""));
  }
  const tracks = Array.isArray(evidence.tracks) ? evidence.tracks : [];
  tracks.forEach((track, k) => {
    const label = typeof track?.label === "string" ? track.label : "track " + (k + 1);
    take(track?.box_px, label);
    const boxesInTrack = track?.boxes_px;
    if (Array.isArray(boxesInTrack) && boxesInTrack.length) take(boxesInTrack[Math.floor(boxesInTrack.length / 2)], label);
  });
  return boxes;
}

function overlays(evidence) {
  const marks = [];
  if (isMap(evidence.map)) marks.push("probability map");
  if (boxesOf(evidence).length) marks.push("boxes");
  if (Object.keys(evidence).some((n) => n.endsWith("row_px") && typeof evidence[n] === "number")) marks.push("row");
  if (Object.keys(evidence).some((n) => n.endsWith("point_px") && isNumbers(evidence[n]))) marks.push("point");
  return marks;
}

function drawOverlay(canvas, evidence, width, height) {
  const video = REPORT.asset.video, pen = prepare(canvas, width, height);
  const sx = width / (video?.width || width), sy = height / (video?.height || height);
  if (isMap(evidence.map)) {
    const rows = evidence.map.length, columns = evidence.map[0].length;
    evidence.map.forEach((row, r) => row.forEach((p, c) => {
      pen.fillStyle = heat(p);
      const x = Math.floor((c * width) / columns), y = Math.floor((r * height) / rows);
      pen.fillRect(x, y, Math.floor(((c + 1) * width) / columns) - x, Math.floor(((r + 1) * height) / rows) - y);
    }));
  }
  // Every line is drawn twice, dark under bright, to stand out from any frame.
  const line = (path) => {
    for (const [style, wide] of [["rgb(0 0 0 / 70%)", 4], ["#ffe14d", 2]]) {
      pen.strokeStyle = style;
      pen.lineWidth = wide;
      pen.beginPath();
      path();
      pen.stroke();
    }
  };
  for (const { box: [x, y, w, h], label } of boxesOf(evidence)) {
    line(() => pen.rect(x * sx, y * sy, w * sx, h * sy));
    if (label) {
      pen.textAlign = "left";
      const wide = pen.measureText(label).width + 8, top = Math.max(0, y * sy - 17);
      pen.fillStyle = "#ffe14d";
      pen.fillRect(x * sx - 1, top, wide, 16);
      pen.fillStyle = "#000";
      pen.fillText(label, x * sx + 3, top + 12);
    }
  }
  for (const [name, value] of Object.entries(evidence)) {
    if (name.endsWith("row_px") && typeof value === "number") {
      line(() => { pen.moveTo(0, value * sy); pen.lineTo(width, value * sy); });
    }
    if (name.endsWith("point_px") && isNumbers(value) && value.length === 2) {
      line(() => pen.arc(value[0] * sx, value[1] * sy, 9, 0, 2 * Math.PI));
    }
  }
}

// The figure, or null where there is neither a frame nor anything to draw on a blank one.
function pictureOf(finding) {
  const video = REPORT.asset.video, marks = overlays(finding.evidence);
  if (!video || (!finding.picture && !marks.length)) return null;
  const frame = element("div", { class: finding.picture ? "picture" : "picture blank" });
  frame.style.aspectRatio = `${video.width} / ${video.height}`;
  const image = jpeg(finding.picture, `Frame of ${words(finding.defect)} at ${spanOf(finding)[0]}`);
  if (image) frame.append(image);
  const at = DATA.picture_times_s[finding.index];
  const parts = [image ? "at " + clock(at) : "no frame at hand"];
  if (marks.length) {
    const canvas = element("canvas", { role: "img", "aria-label": "Drawn over the frame: " + marks.join(", ") });
    frame.append(canvas);
    parts.push("drawn over it: " + marks.join(", "));
    const draw = () => drawOverlay(canvas, finding.evidence, frame.clientWidth, frame.clientHeight);
    new ResizeObserver(draw).observe(frame);
  }
  return element("figure", {}, frame, element("figcaption", { class: "caption" }, parts.join(" · ")));
}
