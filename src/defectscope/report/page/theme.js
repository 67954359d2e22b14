// Dark, light, or as the system says; colours for canvases come from the style sheet.
const THEMES = ["system", "light", "dark"];
const THEME_KEY = "defectscope-theme";
const COLOUR_LISTENERS = [];
const DARK = matchMedia("(prefers-color-scheme: dark)");
let colours = {};

function readColours() {
  const style = getComputedStyle(document.documentElement);
  const names = "ground panel raised text muted rule accent selected critical major minor curve band";
  colours = Object.fromEntries(names.split(" ").map((n) => [n, style.getPropertyValue("--" + n).trim()]));
  for (const listener of COLOUR_LISTENERS) listener();
}

function setTheme(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  const button = document.getElementById("theme");
  button.textContent = { system: "Auto", light: "Light", dark: "Dark" }[theme];
  button.setAttribute("aria-label", "Colours: " + theme);
  button.dataset.theme = theme;
  readColours();
}

function nextTheme() {
  const button = document.getElementById("theme");
  const theme = THEMES[(THEMES.indexOf(button.dataset.theme) + 1) % THEMES.length];
  // Some browsers refuse storage to local files; the choice then lasts as long as the page.
  try { localStorage.setItem(THEME_KEY, theme); } catch { /* not remembered */ }
  setTheme(theme);
}

function startTheme() {
  let stored = null;
  try { stored = localStorage.getItem(THEME_KEY); } catch { /* not remembered */ }
  document.getElementById("theme").addEventListener("click", nextTheme);
  DARK.addEventListener("change", readColours);
  setTheme(THEMES.includes(stored) ? stored : "system");
}
