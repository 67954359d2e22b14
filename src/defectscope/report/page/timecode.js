// Timecode of an instant, on the programme's own grid (SMPTE ST 12-1).
const RATE_FPS = (() => {
  const [top, bottom = 1] = String(REPORT.asset.video?.frame_rate ?? "").split("/").map(Number);
  return top > 0 && bottom > 0 ? top / bottom : null;
})();
const NOMINAL_FPS = RATE_FPS ? Math.round(RATE_FPS) : 0;
// The report's own timecodes say whether frames are dropped, and where the programme starts.
const FIRST = /^(\d\d):(\d\d):(\d\d)([:;])(\d\d+)$/.exec(REPORT.facts?.timecode ?? FINDINGS.find((f) => f.start_timecode)?.start_timecode ?? "");
const DROPS = FIRST?.[4] === ";" && NOMINAL_FPS % 30 === 0;
const START_FRAME = /^\d/.test(REPORT.facts?.timecode ?? "") && FIRST ? frameNumber(FIRST.slice(1).filter((t) => t !== ":" && t !== ";").map(Number)) : 0;

function frameNumber([hours, minutes, seconds, frames]) {
  const whole = hours * 60 + minutes;
  const dropped = DROPS ? (NOMINAL_FPS / 15) * (whole - Math.floor(whole / 10)) : 0;
  return (whole * 60 + seconds) * NOMINAL_FPS + frames - dropped;
}

function frameAt(time_s) {
  return Math.floor(time_s * RATE_FPS + 1e-3);
}

// Where a player must go to show a frame: its middle, so that rounding never shows a neighbour.
function middleOf(frame) {
  return (frame + 0.5) / RATE_FPS;
}

function timecode(time_s) {
  if (!RATE_FPS) return clock(time_s);
  let frame = Math.max(0, frameAt(time_s) + START_FRAME);
  if (DROPS) {
    const lost = NOMINAL_FPS / 15, ten = NOMINAL_FPS * 600 - lost * 9, minute = NOMINAL_FPS * 60 - lost;
    const rest = frame % ten;
    frame += lost * 9 * Math.floor(frame / ten) + (rest >= NOMINAL_FPS * 60 ? lost * (1 + Math.floor((rest - NOMINAL_FPS * 60) / minute)) : 0);
  }
  const pad = (value) => String(value).padStart(2, "0");
  const seconds = Math.floor(frame / NOMINAL_FPS);
  return [Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60].map(pad).join(":") + (DROPS ? ";" : ":") + pad(frame % NOMINAL_FPS);
}
