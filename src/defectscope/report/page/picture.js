// What was measured, to be drawn over a frame: probability map, boxes, rows, points.
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

// Rows of probabilities, whether they come as rows or as one list with its number of columns.
function mapOf(evidence) {
  const map = evidence.map;
  if (isMap(map)) return map;
  const { columns, probabilities } = map ?? {};
  if (!isNumbers(probabilities) || !Number.isInteger(columns) || columns < 1 || probabilities.length % columns) return null;
  return Array.from({ length: probabilities.length / columns }, (_, r) => probabilities.slice(r * columns, (r + 1) * columns));
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

// A peak that comes as two numbers instead of a point.
function peakOf(evidence) {
  const { peak_x_px: x, peak_y_px: y } = evidence;
  return typeof x === "number" && typeof y === "number" ? [x, y] : null;
}

function overlays(evidence) {
  const marks = [];
  if (mapOf(evidence)) marks.push("probability map");
  if (boxesOf(evidence).length) marks.push("boxes");
  if (Object.keys(evidence).some((n) => n.endsWith("row_px") && typeof evidence[n] === "number")) marks.push("row");
  if (Object.keys(evidence).some((n) => n.endsWith("point_px") && isNumbers(evidence[n])) || peakOf(evidence)) marks.push("point");
  return marks;
}

function drawOverlay(canvas, evidence, width, height) {
  const video = REPORT.asset.video, pen = prepare(canvas, width, height);
  const sx = width / (video?.width || width), sy = height / (video?.height || height);
  const map = mapOf(evidence);
  if (map) {
    const rows = map.length, columns = map[0].length;
    map.forEach((row, r) => row.forEach((p, c) => {
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
  const peak = peakOf(evidence);
  if (peak) line(() => pen.arc(peak[0] * sx, peak[1] * sy, 9, 0, 2 * Math.PI));
}
