// Small drawings: a canvas at the screen's own resolution, and score curves behind the timeline.
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

// The band between minimum and maximum: one step a pixel at most, however many points there are.
function drawCurve(pen, curve, box, view) {
  const [low, high] = curveRange(curve), span = view.end_s - view.start_s;
  const yOf = (v) => box.y + box.height - ((v - low) / (high - low)) * box.height;
  const first = Math.max(0, Math.floor(view.start_s / curve.step_s) - 1);
  const last = Math.min(curve.max.length - 1, Math.ceil(view.end_s / curve.step_s) + 1);
  if (last < first) return;
  const xs = [], tops = [], bottoms = [];
  for (let k = first; k <= last; k++) {
    const x = box.x + (((k + 0.5) * curve.step_s - view.start_s) / span) * box.width, at = xs.length - 1;
    if (at >= 0 && x - xs[at] < 1) {
      tops[at] = Math.max(tops[at], curve.max[k]);
      bottoms[at] = Math.min(bottoms[at], curve.min[k]);
    } else {
      xs.push(x); tops.push(curve.max[k]); bottoms.push(curve.min[k]);
    }
  }
  pen.save();
  pen.beginPath();
  pen.rect(box.x, box.y - 1, box.width, box.height + 2);
  pen.clip();
  pen.beginPath();
  xs.forEach((x, k) => pen.lineTo(x, yOf(tops[k])));
  pen.strokeStyle = colours.curve;
  pen.lineWidth = 1;
  pen.stroke();
  for (let k = xs.length - 1; k >= 0; k--) pen.lineTo(xs[k], yOf(bottoms[k]));
  pen.fillStyle = colours.band;
  pen.fill();
  pen.restore();
}

function curvesOf(detector) {
  return Object.entries(REPORT.curves[detector] ?? {}).filter(([, curve]) => curve.max.length > 0);
}

// Probability to colour: clear, through amber, to red; reads the same in both schemes.
function heat(p) {
  const v = Math.min(1, Math.max(0, p));
  return `rgb(255 ${Math.round(210 - 190 * v)} ${Math.round(60 - 40 * v)} / ${(v < 0.05 ? 0 : 0.1 + 0.46 * v).toFixed(3)})`;
}
