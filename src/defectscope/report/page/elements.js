// What every page is made with: elements, words, numbers and times. Knows nothing of the data.
const byId = (id) => document.getElementById(id);

// Text goes in as text, never as markup.
function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") node.className = value;
    else if (name === "on") for (const [event, run] of Object.entries(value)) node.addEventListener(event, run);
    else if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

function words(name) {
  return String(name).replaceAll("_", " ");
}

function number(value) {
  if (Number.isInteger(value)) return String(value).replace("-", "−");
  const digits = Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
  return digits.replace("-", "−");
}

// H:MM:SS.mmm, with as many decimals as asked for.
function clock(time_s, decimals = 3) {
  const scale = 10 ** decimals;
  const ticks = Math.round(Math.abs(time_s) * scale);
  const seconds = Math.floor(ticks / scale);
  const pad = (value, size = 2) => String(value).padStart(size, "0");
  const fraction = decimals ? "." + pad(ticks % scale, decimals) : "";
  const hours = Math.floor(seconds / 3600);
  const body = pad(Math.floor(seconds / 60) % 60) + ":" + pad(seconds % 60) + fraction;
  return (time_s < 0 && ticks ? "−" : "") + (hours ? hours + ":" : "") + body;
}
