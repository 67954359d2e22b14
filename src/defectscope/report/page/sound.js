// What a finding in sound looks like: a waveform a channel, and the spectrogram of all together.
function bytesOf(text) {
  if (typeof text !== "string" || !BASE64.test(text)) return null;
  const raw = atob(text);
  return Int8Array.from(raw, (c) => c.charCodeAt(0));
}

const WAVE_PX = 44, WAVE_LABEL_PX = 38;

function shadeSpan(pen, view, finding, x, width, top, height) {
  const at = (t) => x + ((Math.min(view.end_s, Math.max(view.start_s, t)) - view.start_s) / (view.end_s - view.start_s)) * width;
  pen.fillStyle = colours[finding.severity];
  pen.globalAlpha = 0.16;
  pen.fillRect(at(finding.start_s), top, Math.max(2, at(finding.end_s) - at(finding.start_s)), height);
  pen.globalAlpha = 1;
}

function drawWaves(canvas, view, finding) {
  const waves = view.waves.map(bytesOf).filter((w) => w && w.length > 1 && w.length % 2 === 0);
  const width = canvas.clientWidth || 360, height = waves.length * WAVE_PX, pen = prepare(canvas, width, height);
  const x = WAVE_LABEL_PX, wide = width - x;
  shadeSpan(pen, view, finding, x, wide, 0, height);
  waves.forEach((wave, k) => {
    const count = wave.length / 2, middle = k * WAVE_PX + WAVE_PX / 2, scale = (WAVE_PX / 2 - 3) / 127;
    pen.strokeStyle = colours.rule;
    pen.beginPath(); pen.moveTo(x, middle + 0.5); pen.lineTo(width, middle + 0.5); pen.stroke();
    pen.fillStyle = colours.accent;
    for (let c = 0; c < count; c++) {
      const low = middle - wave[c] * scale, high = middle - wave[count + c] * scale;
      pen.fillRect(x + (c * wide) / count, high, Math.max(1, wide / count), Math.max(1, low - high));
    }
    pen.fillStyle = colours.muted;
    pen.textAlign = "left";
    pen.fillText(String(view.channels[k] ?? k + 1).slice(0, 5), 2, middle + 4);
  });
}

function drawOverSpectrogram(canvas, view, finding) {
  const width = canvas.clientWidth || 360, height = 132, pen = prepare(canvas, width, height);
  const x = WAVE_LABEL_PX, wide = width - x, tall = 112;
  for (const t of [finding.start_s, finding.end_s]) {
    if (t <= view.start_s || t >= view.end_s) continue;
    const at = Math.round(x + ((t - view.start_s) / (view.end_s - view.start_s)) * wide) + 0.5;
    pen.strokeStyle = "#fff";
    pen.setLineDash([3, 3]);
    pen.beginPath(); pen.moveTo(at, 0); pen.lineTo(at, tall); pen.stroke();
    pen.setLineDash([]);
  }
  pen.fillStyle = colours.muted;
  pen.textAlign = "left";
  const octaves = Math.log(view.highest_hz / view.lowest_hz);
  for (const hz of [100, 1000, 10000]) {
    const y = tall - (Math.log(hz / view.lowest_hz) / octaves) * tall;
    pen.fillText(hz >= 1000 ? hz / 1000 + " kHz" : hz + " Hz", 0, Math.min(tall - 2, Math.max(10, y + 4)));
  }
  pen.fillText(clock(view.start_s, 2), x, height - 5);
  pen.textAlign = "right";
  pen.fillText(clock(view.end_s, 2), width, height - 5);
}

function soundOf(finding) {
  const view = finding.sound;
  if (!view || !Array.isArray(view.waves)) return [];
  const image = jpeg(view.spectrogram, "");
  const waves = plot(`Waveform of ${view.channels.join(", ")} from ${clock(view.start_s, 2)} to ${clock(view.end_s, 2)}`, (canvas) => drawWaves(canvas, view, finding));
  const over = plot("Spectrogram, 40 Hz to half the sampling rate, all channels", (canvas) => drawOverSpectrogram(canvas, view, finding));
  const jump = (event) => {
    const box = event.currentTarget.getBoundingClientRect(), share = (event.clientX - box.left - WAVE_LABEL_PX) / (box.width - WAVE_LABEL_PX);
    if (share >= 0) seek(view.start_s + share * (view.end_s - view.start_s));
  };
  const place = element("div", { class: "spectrogram", on: { click: jump } }, ...(image ? [image] : []), over);
  const waveform = element("div", { class: "waves", on: { click: jump } }, waves);
  return [heading("Waveform" + (view.gain_db >= 1 ? `, drawn ${number(view.gain_db)} dB louder` : "")), waveform, heading("Spectrogram"), place];
}

function captionsOf(finding) {
  if (!finding.cues?.length) return [];
  const rows = finding.cues.map((cue) => {
    const inside = cue.start_s < finding.end_s && cue.end_s > finding.start_s;
    return element("div", { class: inside ? "cue inside" : "cue" },
      element("button", { type: "button", class: "time", title: "Show it in the viewer", on: { click: () => seek(cue.start_s) } }, timecode(cue.start_s) + " – " + timecode(cue.end_s)),
      element("p", {}, cue.text || "(no text)"));
  });
  return [heading("Captions around it"), ...rows];
}
