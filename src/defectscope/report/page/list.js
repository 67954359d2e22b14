// The list of findings. Only the rows in sight are on the page, so that thousands scroll smoothly.
const LIST = byId("list"), ROW_BOX = byId("rows");
const ROWS = new Map();
const PAGE_ROWS = 10, ROW_PX = 64, BEYOND = 7, STEP_ROWS = 2;
const SEEN = { first: -1, last: -1, whole: false };

function rowOf(finding) {
  let row = ROWS.get(finding.index);
  if (row) return row;
  const [start, end] = spanOf(finding);
  const image = jpeg(finding.still?.at, "");
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
      element("div", { class: "muted number mark", title: "Confidence" }, finding.confidence.toFixed(2))));
  ROWS.set(finding.index, row);
  return row;
}

// What stands already is left alone: every change of a row has it laid out and painted again.
function set(row, name, value) {
  if (row.getAttribute(name) !== value) row.setAttribute(name, value);
}

function dress(row, place) {
  const index = STATE.shown[place].index, decision = DECISIONS.get(index);
  const at = SEEN.whole ? "" : `translateY(${place * ROW_PX}px)`;
  if (row.style.transform !== at) row.style.transform = at;
  set(row, "aria-posinset", String(place + 1));
  set(row, "aria-setsize", String(STATE.shown.length));
  set(row, "aria-selected", String(index === STATE.selected));
  set(row, "data-decision", decision?.kind ?? "");
  const mark = row.querySelector(".mark"), text = decision ? decision.kind : FINDINGS[index].confidence.toFixed(2);
  if (mark.textContent !== text) mark.textContent = text;
  return row;
}

// The rows between two places; on paper all of them stand in the flow. Scrolling draws those in
// sight at once, and those beyond a few at a time when there is nothing else to do.
function drawRows(force = false, beyond = BEYOND) {
  const most = STATE.shown.length;
  const first = SEEN.whole ? 0 : Math.max(0, Math.floor(LIST.scrollTop / ROW_PX) - beyond);
  const last = SEEN.whole ? most : Math.min(most, Math.ceil((LIST.scrollTop + LIST.clientHeight) / ROW_PX) + beyond);
  if (!force && first >= SEEN.first && last <= SEEN.last) return;
  Object.assign(SEEN, { first, last });
  const high = SEEN.whole ? "" : most * ROW_PX + "px";
  if (ROW_BOX.style.height !== high) ROW_BOX.style.height = high;
  const wanted = new Set(), added = [];
  for (let place = first; place < last; place++) {
    const row = rowOf(STATE.shown[place]);
    wanted.add(row);
    added.push(row);
  }
  for (const row of [...ROW_BOX.children]) if (!wanted.has(row)) row.remove();
  let next = ROW_BOX.firstElementChild;
  added.forEach((row, k) => {
    if (row === next) {
      next = next.nextElementSibling;
      if (force) dress(row, first + k);
    } else {
      ROW_BOX.insertBefore(dress(row, first + k), next);
    }
  });
}

let waiting = 0;
function drawInSight() {
  drawRows(false, 1);
  cancelIdleCallback(waiting);
  waiting = requestIdleCallback(() => drawBeyond(1 + STEP_ROWS));
}

function drawBeyond(beyond) {
  drawRows(false, beyond);
  if (beyond < BEYOND) waiting = requestIdleCallback(() => drawBeyond(beyond + STEP_ROWS));
}

function drawWhole(whole) {
  SEEN.whole = whole;
  LIST.classList.toggle("whole", whole);
  drawRows(true);
}

function drawList() {
  const all = FINDINGS.length, shown = STATE.shown.length;
  byId("count").textContent = shown === all ? String(all) : `${shown} of ${all}`;
  const empty = byId("empty");
  empty.hidden = shown > 0;
  LIST.hidden = shown === 0;
  empty.textContent = all ? "No finding matches the filter. Esc clears it." : "No findings.";
  drawRows(true);
}

function drawSelection() {
  const place = STATE.shown.findIndex((finding) => finding.index === STATE.selected);
  if (place < 0) { LIST.removeAttribute("aria-activedescendant"); return; }
  const top = place * ROW_PX;
  if (top < LIST.scrollTop) LIST.scrollTop = top;
  else if (top + ROW_PX > LIST.scrollTop + LIST.clientHeight) LIST.scrollTop = top + ROW_PX - LIST.clientHeight;
  drawRows(true);
  LIST.setAttribute("aria-activedescendant", "finding-" + STATE.selected);
}

function move(steps) {
  if (!STATE.shown.length) return;
  const place = STATE.shown.findIndex((f) => f.index === STATE.selected);
  const next = Math.min(STATE.shown.length - 1, Math.max(0, place < 0 ? 0 : place + steps));
  update({ selected: STATE.shown[next].index });
  reveal(STATE.shown[next]);
}

function startList() {
  LIST.addEventListener("scroll", drawInSight, { passive: true });
  new ResizeObserver(() => drawRows()).observe(LIST);
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
