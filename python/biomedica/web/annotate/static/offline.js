// Pages without a server: what experts say is kept by the browser and saved as a file of answers.
"use strict";

(() => {
  const facts = document.documentElement.dataset;
  const numbers = facts.numbers.split(" ").map(Number);
  const prefix = `biomedica ${facts.export} `;
  const answer = document.getElementById("answer");
  const expert = document.getElementById("expert");

  /** A value that outlives the page; where the browser keeps none, it lives as long as the page. */
  const memory = new Map();
  let kept = true;
  function read(name) {
    if (memory.has(name)) return memory.get(name);
    try {
      return JSON.parse(localStorage.getItem(prefix + name));
    } catch {
      return null;
    }
  }
  function write(name, value) {
    memory.set(name, value);
    try {
      localStorage.setItem(prefix + name, JSON.stringify(value));
    } catch {
      kept = false;
      document.getElementById("storage").hidden = false;
    }
  }

  // All that was done, in its order: answers, and clusters that were skipped. Undoing takes the last one away.
  const done = () => read("done") || [];
  const mine = () => done().filter((one) => one.expert === expert.value.trim());
  const answers = () => {
    const last = new Map();
    for (const one of done()) if (!one.skipped) last.set(`${one.cluster} ${one.expert}`, one);
    return [...last.values()];
  };

  function next(after) {
    const judged = new Set(mine().filter((one) => !one.skipped).map((one) => one.cluster));
    const skipped = new Set(mine().filter((one) => one.skipped).map((one) => one.cluster));
    const from = numbers.indexOf(after) + 1;
    const order = [...numbers.slice(from), ...numbers.slice(0, from)].filter((number) => !judged.has(number));
    const number = order.find((one) => !skipped.has(one)) ?? order.find((one) => one !== after);
    location.href = number === undefined ? "index.html" : `cluster-${number}.html`;
  }

  function count() {
    const judged = new Set(mine().filter((one) => !one.skipped).map((one) => one.cluster));
    document.getElementById("count").textContent = expert.value.trim() ? `${judged.size} of ${numbers.length} answered` : "";
    for (const link of document.querySelectorAll("[data-number]")) {
      link.classList.toggle("done", judged.has(Number(link.dataset.number)));
    }
  }

  document.getElementById("save").addEventListener("click", () => {
    const file = { ...JSON.parse(facts.about), answers: answers() };
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${JSON.stringify(file, null, 1)}\n`], { type: "application/json" }));
    link.download = `answers-${expert.value.trim().replace(/[^\p{L}\p{N}]+/gu, "-") || "all"}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  });

  expert.value = read("expert") || "";
  expert.addEventListener("input", () => {
    write("expert", expert.value.trim());
    count();
  });
  count();

  if (!answer) {
    document.getElementById("door").addEventListener("submit", (event) => {
      event.preventDefault();
      write("expert", expert.value.trim());
      next(-1);
    });
    return;
  }

  const cluster = Number(answer.dataset.cluster);
  const one = (name) => answer.querySelector(`[name="${name}"]`);

  // Concepts that were proposed on other pages, then what was said of this cluster before.
  for (const [group, local] of read("concepts") || []) offer(group, local);
  const said = mine().findLast((entry) => entry.cluster === cluster) || read(`undone ${cluster} ${expert.value}`);
  if (said && !said.skipped) fill(said);

  answer.addEventListener("submit", (event) => {
    const refused = event.defaultPrevented;
    event.preventDefault();
    if (refused) return;
    const name = expert.value.trim();
    if (!name) {
      again("Give your name, so that it is known whose answer this is.");
      expert.focus();
      return;
    }
    if (event.submitter?.value === "skip") {
      write("done", [...done(), { cluster, expert: name, skipped: true }]);
    } else {
      write("done", [...done(), given(name)]);
      const local = [...answer.querySelectorAll('[name="proposal"]')].map((box) => box.value.split(";"));
      const global = [...answer.querySelectorAll("#global .proposed input")].map((box) => [box.value, ""]);
      write("concepts", [...(read("concepts") || []), ...global, ...local]);
    }
    if (kept) next(cluster);
    else again("Kept until you leave this page: save a file now.");
  });

  document.getElementById("undo").addEventListener("click", () => {
    const all = done();
    const place = all.findLastIndex((entry) => entry.expert === expert.value.trim());
    if (place < 0) return again("There is nothing to undo.");
    const [taken] = all.splice(place, 1);
    write("done", all);
    write(`undone ${taken.cluster} ${taken.expert}`, taken);
    location.href = `cluster-${taken.cluster}.html`;
  });

  function again(text) {
    sent = false;
    say(text);
  }

  /** Lists a concept that was proposed, without a tick. */
  function offer(name, local) {
    const place = local ? group(name).querySelector(".chips") : document.querySelector("#global .chips");
    const value = local || name;
    if ([...place.querySelectorAll("input")].some((box) => box.value === value)) return;
    const offered = chip(local ? "local" : "global", value);
    offered.querySelector("input").checked = false;
    place.append(offered);
  }

  function fill(entry) {
    for (const name of entry.global) offer(name, "");
    for (const name of entry.local) {
      if (![...answer.querySelectorAll('[name="local"]')].some((box) => box.value === name)) offer(entry.global[0], name);
    }
    for (const box of answer.querySelectorAll('[name="panel_type"]')) box.checked = box.value === entry.panel_type;
    for (const level of ["global", "local"]) {
      for (const box of answer.querySelectorAll(`[name="${level}"]`)) box.checked = entry[level].includes(box.value);
    }
    one("panel_subtype").value = entry.panel_subtype || "";
    one("ambiguous").checked = entry.ambiguous;
    one("notes").value = entry.notes;
    showGroups();
  }

  /** The answer as a file of answers has it. */
  function given(name) {
    const form = new FormData(answer);
    return {
      cluster,
      expert: name,
      panel_type: form.get("panel_type"),
      panel_subtype: form.get("panel_subtype").trim() || null,
      global: form.getAll("global"),
      local: [...new Set(form.getAll("local"))],
      ambiguous: form.has("ambiguous"),
      notes: form.get("notes").trim(),
      seconds: Number(form.get("seconds")),
      at: new Date().toISOString(),
    };
  }
})();
