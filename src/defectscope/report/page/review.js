// Accepting and rejecting: written by the server of the page, or offered as a file.
const WHO_KEY = "defectscope-who";
let unsaved = 0;

function remembered(key) {
  try { return localStorage.getItem(key) ?? ""; } catch { return ""; }
}

async function tell(finding, decision) {
  if (!DATA.desk) {
    unsaved += 1;
    return;
  }
  const answer = await fetch("./decision", {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Defectscope-Token": DATA.desk.token },
    body: JSON.stringify({ index: finding.index, ...decision }),
  });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error?.message ?? "the server refused it");
  Object.assign(REPORT, { verdict: body.verdict, reason: body.reason, rules: body.rules, verdicts: body.verdicts });
}

async function decide(finding, decision) {
  const problem = DETAIL.querySelector(".problem");
  try {
    await tell(finding, decision);
  } catch (error) {
    if (problem) problem.textContent = String(error.message);
    return;
  }
  if (decision.kind === "open") DECISIONS.delete(finding.index);
  else DECISIONS.set(finding.index, decision);
  update({ decisions: STATE.decisions + 1 });
}

function field(label, input) {
  return element("label", {}, element("span", { class: "muted" }, label), input);
}

// The form of an acceptance, and the two buttons; what was decided, where something was.
function decisionOn(finding) {
  const decision = DECISIONS.get(finding.index), problem = element("p", { class: "problem", role: "alert" });
  if (decision) {
    const by = [decision.who, decision.until ? "until " + decision.until : ""].filter(Boolean).join(", ");
    return element("div", { class: "decision " + decision.kind },
      element("p", {}, element("strong", {}, words(decision.kind)), by ? ` by ${by}` : "", decision.reason ? `: ${decision.reason}` : ""),
      element("button", { type: "button", title: "Take the decision back (u)", on: { click: () => decide(finding, { kind: "open" }) } }, "Undo"), problem);
  }
  const who = element("input", { value: remembered(WHO_KEY), maxlength: 100, placeholder: "your name", autocomplete: "name" });
  const reason = element("input", { maxlength: 500, placeholder: "why it is accepted" });
  const until = element("input", { type: "date" });
  const sure = (kind) => {
    const missing = !who.value.trim() ? who : kind === "accepted" && !reason.value.trim() ? reason : null;
    if (missing) {
      problem.textContent = missing === who ? "Your name is needed." : "A reason is needed.";
      missing.focus();
      return;
    }
    try { localStorage.setItem(WHO_KEY, who.value.trim()); } catch { /* not remembered */ }
    decide(finding, { kind, who: who.value.trim(), reason: reason.value.trim() || "a true fault", until: until.value });
  };
  const form = element("form", { class: "waive" }, field("Reason", reason), field("By", who), field("Until", until),
    element("div", { class: "group" },
      element("button", { type: "submit", title: "Accept: the finding breaks no rule (a)" }, "Accept"),
      element("button", { type: "button", title: "Reject: a true fault (r)", on: { click: () => sure("rejected") } }, "Reject")), problem);
  form.addEventListener("submit", (event) => { event.preventDefault(); sure("accepted"); });
  return form;
}

function focusReason() {
  DETAIL.classList.add("open");
  DETAIL.querySelector(".waive input")?.focus();
}

function drawDecided() {
  const count = (kind) => [...DECISIONS.values()].filter((d) => d.kind === kind).length;
  const place = byId("decided"), accepted = count("accepted"), rejected = count("rejected");
  place.hidden = !accepted && !rejected;
  if (place.hidden) return;
  const said = `${accepted} accepted, ${rejected} rejected`;
  const save = () => {
    const link = element("a", { href: URL.createObjectURL(new Blob([waiversText()], { type: "application/toml" })), download: "waivers.toml" });
    link.click();
    unsaved = 0;
    drawDecided();
  };
  place.replaceChildren(element("span", {}, said), element("span", { class: "grow" }),
    DATA.desk ? element("span", { class: "muted" }, "in waivers.toml") : element("button", { type: "button", id: "save", on: { click: save } }, unsaved ? "Save waivers.toml" : "waivers.toml"));
}

function startReview() {
  addEventListener("beforeunload", (event) => { if (unsaved) event.preventDefault(); });
}
