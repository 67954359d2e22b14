// Curves with axes, by uPlot: a score around a finding with its limits, a line over anything.
function axes(xUnit, yUnit, xText) {
  const look = { stroke: colours.muted, grid: { stroke: colours.rule, width: 1 }, ticks: { stroke: colours.rule, width: 1, size: 4 }, font: "11px system-ui, sans-serif" };
  const tidy = (values) => values.map((v) => (v === null ? "" : number(Number(v.toPrecision(6)))));
  return [
    { ...look, size: 26, space: 56, values: xText ?? ((_, values) => tidy(values)), label: xUnit || undefined, labelSize: 16, labelGap: -2, labelFont: "11px system-ui, sans-serif" },
    { ...look, size: 50, space: 24, values: (_, values) => tidy(values), label: yUnit || undefined, labelSize: 16, labelFont: "11px system-ui, sans-serif" },
  ];
}

// A chart that is drawn when its place is on the page, and again when colours or the width change.
function chart(label, height, build) {
  const place = element("div", { class: "chart", role: "img", "aria-label": label });
  let made = null;
  redraws.push(() => {
    if (!place.isConnected) return;
    made?.destroy();
    const { options, data } = build();
    made = new uPlot({ width: Math.max(120, place.clientWidth), height, legend: { show: false }, cursor: { y: false, points: { size: 6 } }, ...options }, data, place);
  });
  return place;
}

// Lines across a chart, each with its words.
function drawLimits(u, limits, unit) {
  const pen = u.ctx, ratio = window.devicePixelRatio || 1;
  pen.save();
  pen.font = `${11 * ratio}px system-ui, sans-serif`;
  for (const { value, label } of limits) {
    const y = u.valToPos(value, "y", true);
    pen.strokeStyle = colours.critical;
    pen.lineWidth = ratio;
    pen.setLineDash([5 * ratio, 4 * ratio]);
    pen.beginPath(); pen.moveTo(u.bbox.left, y); pen.lineTo(u.bbox.left + u.bbox.width, y); pen.stroke();
    pen.fillStyle = colours.critical;
    pen.textAlign = "right";
    pen.fillText(`${label} ${quantity(value, unit)}`, u.bbox.left + u.bbox.width - 4 * ratio, y > u.bbox.top + 16 * ratio ? y - 4 * ratio : y + 13 * ratio);
  }
  pen.restore();
}

function shade(u, finding) {
  const pen = u.ctx, left = Math.max(u.bbox.left, u.valToPos(finding.start_s, "x", true));
  const right = Math.min(u.bbox.left + u.bbox.width, u.valToPos(finding.end_s, "x", true));
  pen.save();
  pen.fillStyle = colours[finding.severity];
  pen.globalAlpha = 0.18;
  pen.fillRect(left, u.bbox.top, Math.max(2, right - left), u.bbox.height);
  pen.restore();
}

const CURVE_UNITS = { loudness: "LUFS", true_peak: "dBTP", speech_dbfs: "dBFS", width_db: "dB" };

function scoreAround(finding) {
  const curves = curvesOf(finding.detector);
  const [name, curve] = curves.find(([n]) => n === finding.defect) ?? curves[0] ?? [];
  if (!curve) return [];
  const limits = DATA.limits[finding.detector]?.[name] ?? [], unit = CURVE_UNITS[name] ?? "";
  const margin = Math.max(2, finding.length_s, 6 * curve.step_s);
  const first = Math.max(0, Math.floor((finding.start_s - margin) / curve.step_s));
  const last = Math.min(curve.max.length, Math.ceil((finding.end_s + margin) / curve.step_s) + 1);
  const xs = [], low = [], high = [];
  for (let k = first; k < last; k++) { xs.push((k + 0.5) * curve.step_s); low.push(curve.min[k]); high.push(curve.max[k]); }
  if (xs.length < 2) return [];
  const share = curveRange(curve)[0] === 0 && curveRange(curve)[1] === 1;
  const [bottom, top] = share ? [0, 1] : extent([...low, ...high, ...limits.map((l) => l.value)]);
  const pad = share ? 0.03 : (top - bottom) * 0.08;
  const build = () => ({
    data: [xs, low, high],
    options: {
      scales: { x: { time: false }, y: { range: [bottom - pad, top + pad] } },
      axes: axes("", unit, (_, values) => values.map((v) => clock(v, last * curve.step_s - first * curve.step_s < 12 ? 1 : 0))),
      series: [{}, { stroke: colours.curve, width: 1, points: { show: false } }, { stroke: colours.accent, width: 1.5, points: { show: false } }],
      bands: [{ series: [2, 1], fill: colours.band }],
      hooks: { drawClear: [(u) => shade(u, finding)], draw: [(u) => drawLimits(u, limits, unit)] },
    },
  });
  return [heading((unit ? "" : "Score of ") + words(name) + " around it"), chart(`${words(name)} around the finding` + limits.map((l) => `, ${l.label} ${number(l.value)}`).join(""), 138, build)];
}

function lineChart(label, xs, ys, { xUnit = "", yUnit = "", lowest = false, height = 150 } = {}) {
  const build = () => {
    const at = lowest ? ys.indexOf(Math.min(...ys)) : -1;
    return {
      data: [xs, ys],
      options: {
        scales: { x: { time: false } },
        axes: axes(xUnit, yUnit),
        series: [{}, { stroke: colours.accent, width: 1.75, points: { show: false } }],
        hooks: { draw: [(u) => { if (at >= 0) mark(u, xs[at], ys[at], quantity(xs[at], xUnit.split(",")[0])); }] },
      },
    };
  };
  return chart(label, height, build);
}

function mark(u, x, y, text) {
  const pen = u.ctx, ratio = window.devicePixelRatio || 1, left = u.valToPos(x, "x", true), top = u.valToPos(y, "y", true);
  pen.save();
  pen.fillStyle = colours.critical;
  pen.beginPath(); pen.arc(left, top, 4 * ratio, 0, 2 * Math.PI); pen.fill();
  pen.font = `600 ${11 * ratio}px system-ui, sans-serif`;
  pen.textAlign = left > u.bbox.left + u.bbox.width * 0.7 ? "right" : "left";
  pen.fillText(text, left + (pen.textAlign === "right" ? -8 : 8) * ratio, top - 6 * ratio);
  pen.restore();
}
