// Small drawings: a canvas at the screen's own resolution, a score curve, a line over an axis.
function prepare(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const wide = Math.round(width * ratio), high = Math.round(height * ratio);
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
  }
  canvas.style.height = height + "px";
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = '11px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';
  return pen;
}

// A step of 1, 2 or 5 times a power of ten (or whole seconds, minutes, hours).
const CLOCK_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 18000, 36000];
function niceStep(rough, clocked) {
  if (clocked && rough > 1) return CLOCK_STEPS.find((step) => step >= rough) ?? 36000 * Math.ceil(rough / 36000);
  const base = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((m) => m * base).find((step) => step >= rough * 0.999);
}

function extent(values) {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (!(low <= high)) return [0, 1];
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}

// A curve's own range; scores between 0 and 1 keep that scale so that lanes compare.
function curveRange(curve) {
  curve.range ??= (() => {
    const [low, high] = extent([...curve.min, ...curve.max]);
    return low >= 0 && high <= 1 ? [0, 1] : [low, high];
  })();
  return curve.range;
}

// The band between minimum and maximum, one vertical stroke a pixel at most.
function drawCurve(pen, curve, box, view) {
  const [low, high] = curveRange(curve);
  const count = curve.max.length;
  const span = view.end_s - view.start_s;
  const xOf = (k) => box.x + ((k * curve.step_s - view.start_s) / span) * box.width;
  const yOf = (v) => box.y + box.height - ((v - low) / (high - low)) * box.height;
  const first = Math.max(0, Math.floor(view.start_s / curve.step_s) - 1);
  const last = Math.min(count - 1, Math.ceil(view.end_s / curve.step_s) + 1);
  if (last < first) return;
  pen.save();
  pen.beginPath();
  pen.rect(box.x, box.y - 1, box.width, box.height + 2);
  pen.clip();
  pen.beginPath();
  for (let k = first; k <= last; k++) pen.lineTo(xOf(k + 0.5), yOf(curve.max[k]));
  for (let k = last; k >= first; k--) pen.lineTo(xOf(k + 0.5), yOf(curve.min[k]));
  pen.fillStyle = colours.band;
  pen.fill();
  pen.beginPath();
  for (let k = first; k <= last; k++) pen.lineTo(xOf(k + 0.5), yOf(curve.max[k]));
  pen.strokeStyle = colours.curve;
  pen.lineWidth = 1;
  pen.stroke();
  pen.restore();
}

function curvesOf(detector) {
  return Object.entries(REPORT.curves[detector] ?? {}).filter(([, curve]) => curve.max.length > 0);
}

// y over x with both axes labelled and the marks called out.
function drawLine(canvas, xs, ys, { xUnit = "", yUnit = "", lowest = false, ends = null, height = 150 } = {}) {
  const width = canvas.clientWidth || 360;
  const pen = prepare(canvas, width, height);
  const box = { x: 46, y: 10, width: width - 60, height: height - (ends ? 48 : 36) };
  const [left, right] = extent(xs), [low, high] = extent(ys);
  const xOf = (x) => box.x + ((x - left) / (right - left)) * box.width;
  const yOf = (y) => box.y + box.height - ((y - low) / (high - low)) * box.height;
  pen.fillStyle = colours.muted;
  pen.strokeStyle = colours.rule;
  pen.lineWidth = 1;
  const xStep = niceStep((right - left) / 6, false), yStep = niceStep((high - low) / 3, false);
  pen.textAlign = "center";
  for (let k = Math.ceil(left / xStep); k * xStep <= right + xStep * 1e-6; k++) {
    const x = Math.round(xOf(k * xStep)) + 0.5;
    pen.beginPath(); pen.moveTo(x, box.y); pen.lineTo(x, box.y + box.height); pen.stroke();
    pen.fillText(number(Number((k * xStep).toPrecision(6))), x, box.y + box.height + 14);
  }
  pen.textAlign = "right";
  for (let k = Math.ceil(low / yStep); k * yStep <= high + yStep * 1e-6; k++) {
    const y = Math.round(yOf(k * yStep)) + 0.5;
    pen.beginPath(); pen.moveTo(box.x, y); pen.lineTo(box.x + box.width, y); pen.stroke();
    pen.fillText(number(Number((k * yStep).toPrecision(6))), box.x - 5, y + 4);
  }
  if (left < 0 && right > 0) {
    pen.strokeStyle = colours.muted;
    pen.setLineDash([3, 3]);
    pen.beginPath(); pen.moveTo(xOf(0), box.y); pen.lineTo(xOf(0), box.y + box.height); pen.stroke();
    pen.setLineDash([]);
  }
  pen.beginPath();
  xs.forEach((x, k) => pen.lineTo(xOf(x), yOf(ys[k])));
  pen.strokeStyle = colours.accent;
  pen.lineWidth = 1.75;
  pen.lineJoin = "round";
  pen.stroke();
  if (lowest) {
    const k = ys.indexOf(Math.min(...ys));
    const x = xOf(xs[k]), y = yOf(ys[k]);
    pen.fillStyle = colours.critical;
    pen.beginPath(); pen.arc(x, y, 4, 0, 2 * Math.PI); pen.fill();
    pen.textAlign = x > box.x + box.width * 0.7 ? "right" : "left";
    pen.fillText(quantity(xs[k], xUnit), x + (pen.textAlign === "right" ? -8 : 8), y - 6);
  }
  pen.fillStyle = colours.muted;
  pen.textAlign = "left";
  if (yUnit) pen.fillText(yUnit, 2, 10);
  if (ends) {
    pen.fillText("← " + ends[0], box.x, height - 6);
    pen.textAlign = "right";
    pen.fillText(ends[1] + " →", box.x + box.width, height - 6);
    pen.textAlign = "center";
    pen.fillText(xUnit, box.x + box.width / 2, height - 6);
  } else if (xUnit) {
    pen.textAlign = "right";
    pen.fillText(xUnit, box.x + box.width, height - 4);
  }
}

// Probability to colour: clear, through amber, to red; reads the same in both schemes.
function heat(p) {
  const v = Math.min(1, Math.max(0, p));
  return `rgb(255 ${Math.round(210 - 190 * v)} ${Math.round(60 - 40 * v)} / ${(v < 0.05 ? 0 : 0.12 + 0.58 * v).toFixed(3)})`;
}
