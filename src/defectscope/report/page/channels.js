// One channel alone, heard on all loudspeakers.
const CHANNELS = (() => {
  const count = REPORT.asset.audio?.channels ?? 0, stated = Object.values(DATA.sounds).find((s) => s.channels?.length === count)?.channels;
  const usual = { 1: ["M"], 2: ["FL", "FR"], 6: ["FL", "FR", "FC", "LFE", "BL", "BR"], 8: ["FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"] };
  return stated ?? usual[count] ?? Array.from({ length: Math.min(count, 16) }, (_, k) => String(k + 1));
})();
let sound = null, soloed = -1;

// A page that was opened from a disk may not take apart the sound of a file that it did not open
// itself: the browser would give silence.
function mayTakeApart() {
  return location.protocol !== "file:" || VIDEO.src.startsWith("blob:");
}

function solo(channel) {
  if (!mayTakeApart()) {
    say("To hear one channel, open the file with “Open media…”, or serve this report (defectscope report REPORT.json --serve).");
    return;
  }
  soloed = soloed === channel ? -1 : channel;
  if (!sound) {
    const context = new AudioContext();
    sound = { context, source: context.createMediaElementSource(VIDEO), splitter: context.createChannelSplitter(Math.max(1, CHANNELS.length)), out: new GainNode(context, { channelCount: 1, channelCountMode: "explicit" }) };
    sound.out.connect(context.destination);
  }
  const { context, source, splitter, out } = sound;
  context.resume();
  source.disconnect();
  splitter.disconnect();
  if (soloed < 0) source.connect(context.destination);
  else {
    source.connect(splitter);
    splitter.connect(out, soloed);
  }
  drawChannels();
}

function drawChannels() {
  [...byId("channels").children].forEach((button, k) => button.setAttribute("aria-pressed", String(soloed === k)));
}

function startChannels() {
  if (CHANNELS.length < 2) return;
  byId("channels").append(...CHANNELS.map((name, k) => element("button", { type: "button", "aria-pressed": "false", title: `Hear ${name} alone (c)`, on: { click: () => solo(k) } }, name)));
}

function nextChannel() {
  if (CHANNELS.length > 1) solo(soloed + 1 < CHANNELS.length ? soloed + 1 : soloed);
}
