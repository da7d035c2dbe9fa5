// A cluster's page by keyboard. Without this script it is a plain form.
"use strict";

const page = document.documentElement;
const form = document.getElementById("answer");
const problem = document.getElementById("problem");
const help = document.getElementById("help");
page.classList.add("js");

// Concepts ---------------------------------------------------------------------------------------------------------

const chosen = (name) => [...form.querySelectorAll(`input[name="${name}"]:checked`)].map((box) => box.value);

/** Shows the local concepts of the chosen global ones, and those that are ticked. */
function showGroups() {
  const names = new Set(chosen("global"));
  for (const one of form.querySelectorAll(".group")) {
    one.classList.toggle("chosen", names.has(one.dataset.group) || one.querySelector(":checked") !== null);
  }
  document.getElementById("no-groups").hidden = names.size > 0;
}

function chip(name, value) {
  const label = document.createElement("label");
  const box = document.createElement("input");
  const text = document.createElement("span");
  label.className = "chip proposed";
  Object.assign(box, { type: "checkbox", name, value, checked: true });
  text.textContent = value;
  label.append(box, text);
  return label;
}

function group(name) {
  const there = [...form.querySelectorAll(".group")].find((one) => one.dataset.group === name);
  if (there) return there;
  const made = document.createElement("div");
  const title = document.createElement("h3");
  const chips = document.createElement("div");
  made.className = "group";
  made.dataset.group = name;
  title.textContent = name;
  chips.className = "chips";
  made.append(title, chips);
  document.getElementById("local").querySelector(".plain").before(made);
  return made;
}

/** Adds a concept that none of the list is, ticked. A local one belongs to the first global one chosen. */
function propose(name, value) {
  if (value.includes(";")) return say("A concept's name has no semicolon.");
  const same = [...form.querySelectorAll(`input[name="${name}"]`)].find(
    (box) => box.value.toLowerCase() === value.toLowerCase() && !box.closest(".group:not(.chosen)"),
  );
  if (same) {
    same.checked = true;
  } else if (name === "global") {
    document.querySelector("#global .chips").append(chip(name, value));
    group(value);
  } else {
    const [first] = chosen("global");
    if (!first) return say("Choose a global concept first.");
    group(first).querySelector(".chips").append(chip(name, value));
    const where = document.createElement("input");
    Object.assign(where, { type: "hidden", name: "proposal", value: `${first};${value}` });
    form.append(where);
  }
  showGroups();
}

/** Type to filter: what is typed hides the others, arrows move, Enter chooses or proposes. */
function filtered(field) {
  const input = field.querySelector(".filter");
  const chips = () => [...field.querySelectorAll(".chip")].filter((one) => !one.closest(".group:not(.chosen)"));
  let lit = 0;

  function draw() {
    const typed = input.value.trim().toLowerCase();
    const words = typed.split(/\s+/);
    for (const one of chips()) {
      const text = one.textContent.trim().toLowerCase();
      one.classList.toggle("out", typed !== "" && !words.every((word) => text.includes(word)));
      one.classList.remove("lit");
    }
    const left = chips().filter((one) => !one.classList.contains("out"));
    // What begins with the word comes before what has it somewhere.
    if (typed) left.sort((a, b) => rank(a, typed) - rank(b, typed));
    lit = Math.min(Math.max(lit, 0), Math.max(left.length - 1, 0));
    if (left[lit] && document.activeElement === input) {
      left[lit].classList.add("lit");
      left[lit].scrollIntoView({ block: "nearest" });
    }
    return left;
  }
  const rank = (one, typed) => {
    const text = one.textContent.trim().toLowerCase();
    return text === typed ? 0 : text.startsWith(typed) ? 1 : 2;
  };

  input.addEventListener("input", () => { lit = 0; draw(); });
  input.addEventListener("focus", () => { lit = 0; draw(); });
  input.addEventListener("blur", () => { input.value = ""; draw(); });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      lit += event.key === "ArrowDown" ? 1 : -1;
      draw();
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
      const left = draw();
      const typed = input.value.trim().replace(/\s+/g, " ");
      if (left.length) {
        left[lit].querySelector("input").click();
      } else if (typed) {
        propose(field.dataset.name, typed);
      }
      input.value = "";
      draw();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  });
}

// Images -----------------------------------------------------------------------------------------------------------

const links = [...document.querySelectorAll("#montage a")];
const large = document.getElementById("large");
let at = 0;

function look(number) {
  if (!links.length) return;
  at = (number + links.length) % links.length;
  const link = links[at];
  const image = large.querySelector("img");
  // A page without a server has an image once, in its place.
  image.src = link.hash ? link.querySelector("img").src : link.href;
  image.alt = link.dataset.name;
  large.querySelector(".caption").textContent = link.dataset.caption;
  large.querySelector(".name").textContent = `${link.dataset.name}, ${at + 1} of ${links.length}`;
  if (!large.open) large.showModal();
}

links.forEach((link, number) => link.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  look(number);
}));
large.addEventListener("click", () => large.close());
large.addEventListener("keydown", (event) => {
  if (event.key === "ArrowRight" || event.key === "ArrowDown") look(at + 1);
  else if (event.key === "ArrowLeft" || event.key === "ArrowUp") look(at - 1);
  else return;
  event.preventDefault();
});

// Keys -------------------------------------------------------------------------------------------------------------

const press = (selector) => form.querySelector(selector).click();
const focus = (selector) => form.querySelector(selector).focus();
const KEYS = {
  s: () => press('input[value="single"]'),
  m: () => press('input[value="multi"]'),
  t: () => focus('[name="panel_subtype"]'),
  g: () => focus("#global .filter"),
  l: () => focus("#local .filter"),
  a: () => press('[name="ambiguous"]'),
  n: () => focus("textarea"),
  x: () => press("#skip"),
  u: () => press("#undo"),
  i: () => look(0),
  "?": () => help.showModal(),
  Enter: () => press("button.first"),
};

document.addEventListener("keydown", (event) => {
  if (event.isComposing || help.open || large.open) return;
  const typing = event.target.matches('textarea, select, input:not([type="checkbox"]):not([type="radio"])');
  const strong = event.ctrlKey || event.metaKey;
  if (event.key === "Enter" && (strong || (!typing && !event.target.matches("button, a")))) {
    event.preventDefault();
    KEYS.Enter();
  } else if (event.key === "Escape" && typing) {
    event.target.blur();
  } else if (!typing && !strong && !event.altKey && event.key !== "Enter" && Object.hasOwn(KEYS, event.key)) {
    event.preventDefault();
    KEYS[event.key]();
  }
});

// The answer -------------------------------------------------------------------------------------------------------

let seen = 0;
let since = document.hidden ? null : performance.now();
document.addEventListener("visibilitychange", () => {
  if (document.hidden && since !== null) seen += performance.now() - since;
  since = document.hidden ? null : performance.now();
});
const seconds = () => (seen + (since === null ? 0 : performance.now() - since)) / 1000;

function say(text) {
  problem.textContent = text;
  problem.scrollIntoView({ block: "nearest" });
}

const given = (name) => form.querySelector(`[name="${name}"]`);
const before = Number(given("seconds").value) || 0;
let sent = false;
form.addEventListener("submit", (event) => {
  given("seconds").value = (before + seconds()).toFixed(1);
  if (sent) return event.preventDefault(); // a second press while the first is on its way
  if (event.submitter?.value !== "skip" && !given("ambiguous").checked) {
    const missing = !chosen("panel_type").length ? "single or multi panel" : !chosen("global").length ? "a global concept" : "";
    if (missing) {
      event.preventDefault();
      return say(`Choose ${missing}, or say that the cluster is ambiguous.`);
    }
  }
  sent = true;
});
// A page that the browser brings back is one to be sent again.
window.addEventListener("pageshow", () => { sent = false; showGroups(); });

form.addEventListener("change", (event) => {
  if (event.target.name === "global") {
    // What nobody sees any more keeps no tick.
    if (!event.target.checked) for (const box of group(event.target.value).querySelectorAll(":checked")) box.checked = false;
    showGroups();
  }
  problem.textContent = "";
});
document.getElementById("keys").addEventListener("click", () => help.showModal());
for (const name of ["global", "local"]) filtered(document.getElementById(name));
// A proposed concept that an earlier answer has and the list has not, is listed by the page.
for (const name of chosen("global")) group(name);
showGroups();

window.addEventListener("load", () => {
  for (const source of (document.querySelector(".work").dataset.soon || "").split(" ").filter(Boolean)) new Image().src = source;
});
