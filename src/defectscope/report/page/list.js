// The list of findings: rows are made once, then shown, hidden and reordered.
const LIST = document.getElementById("list");
const ROWS = new Map();
const PAGE_ROWS = 10;

function rowOf(finding) {
  let row = ROWS.get(finding.index);
  if (row) return row;
  const [start, end] = spanOf(finding);
  const image = jpeg(finding.picture, "");
  if (image) image.className = "shot";
  const none = finding.detector === finding.defect ? "no frame" : words(finding.detector);
  row = element("div", { class: "row " + finding.severity, role: "option", id: "finding-" + finding.index, "data-index": finding.index, "aria-selected": "false" },
    image ?? element("div", { class: "shot none", "aria-hidden": "true" }, none),
    element("div", {},
      element("div", { class: "what" }, words(finding.defect)),
      element("div", { class: "when time" }, start + " – " + end),
      element("div", { class: "brief" }, summary(finding))),
    element("div", { class: "right" },
      element("span", { class: "badge" }, finding.severity),
      element("div", { class: "number" }, lengthOf(finding.length_s)),
      element("div", { class: "muted number", title: "Confidence" }, finding.confidence.toFixed(2))));
  ROWS.set(finding.index, row);
  return row;
}

function drawList() {
  const rows = STATE.shown.map((finding, place) => {
    const row = rowOf(finding);
    row.setAttribute("aria-posinset", place + 1);
    row.setAttribute("aria-setsize", STATE.shown.length);
    return row;
  });
  LIST.replaceChildren(...rows);
  const all = FINDINGS.length, shown = STATE.shown.length;
  document.getElementById("count").textContent = shown === all ? String(all) : `${shown} of ${all}`;
  const empty = document.getElementById("empty");
  empty.hidden = shown > 0;
  LIST.hidden = shown === 0;
  empty.textContent = all ? "No finding matches the filter. Esc clears it." : "No findings.";
}

function drawSelection() {
  const before = LIST.querySelector('[aria-selected="true"]');
  before?.setAttribute("aria-selected", "false");
  const row = ROWS.get(STATE.selected);
  if (!row?.isConnected) return LIST.removeAttribute("aria-activedescendant");
  row.setAttribute("aria-selected", "true");
  LIST.setAttribute("aria-activedescendant", row.id);
  // By hand: scrollIntoView would also move the page.
  const top = row.offsetTop - LIST.offsetTop, bottom = top + row.offsetHeight;
  if (LIST.scrollHeight <= LIST.clientHeight) {
    const seen = row.getBoundingClientRect();
    // A page that has just been opened begins at its top.
    const open = document.documentElement.dataset.ready;
    if (open && (seen.top < 0 || seen.bottom > innerHeight)) row.scrollIntoView({ block: "nearest" });
  } else if (top < LIST.scrollTop) LIST.scrollTop = top;
  else if (bottom > LIST.scrollTop + LIST.clientHeight) LIST.scrollTop = bottom - LIST.clientHeight;
  return undefined;
}

function move(steps) {
  if (!STATE.shown.length) return;
  const place = STATE.shown.findIndex((f) => f.index === STATE.selected);
  const next = Math.min(STATE.shown.length - 1, Math.max(0, place < 0 ? 0 : place + steps));
  update({ selected: STATE.shown[next].index });
  reveal(STATE.shown[next]);
}

function startList() {
  LIST.addEventListener("click", (event) => {
    const row = event.target.closest(".row");
    if (!row) return;
    const finding = FINDINGS[Number(row.dataset.index)];
    update({ selected: finding.index });
    reveal(finding);
    DETAIL.classList.add("open");
  });
  LIST.addEventListener("dblclick", (event) => {
    const row = event.target.closest(".row");
    if (row) zoomTo(FINDINGS[Number(row.dataset.index)]);
  });
}
