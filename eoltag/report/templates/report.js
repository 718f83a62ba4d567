"use strict";
(() => {
  const form = document.getElementById("filters");
  const status = form.querySelector("output");
  const nothing = document.getElementById("nothing");
  const entries = [...document.querySelectorAll(".entry")].map((element) => ({
    element,
    task: element.dataset.task,
    tag: element.dataset.tag,
    outcome: element.dataset.outcome,
    ancestry: element.dataset.ancestry.toLowerCase(),
    confidence: element.dataset.confidence === undefined ? null : Number(element.dataset.confidence),
  }));
  const boxes = ["strip", "gallery", "task"].map((name) => [...document.getElementsByClassName(name)]);
  const numbers = [...document.getElementsByClassName("numbers")];

  const fits = (entry, wanted) =>
    (!wanted.task || entry.task === wanted.task) &&
    (!wanted.tag || entry.tag === wanted.tag) &&
    (!wanted.outcome || entry.outcome === wanted.outcome) &&
    entry.ancestry.includes(wanted.ancestry) &&
    (wanted.from === null || (entry.confidence !== null && entry.confidence >= wanted.from)) &&
    (wanted.to === null || (entry.confidence !== null && entry.confidence <= wanted.to));

  const bound = (input) => (input.value === "" || Number.isNaN(input.valueAsNumber) ? null : input.valueAsNumber);

  const apply = () => {
    const wanted = {
      task: form.task.value,
      tag: form.tag.value,
      outcome: form.outcome.value,
      ancestry: form.ancestry.value.trim().toLowerCase(),
      from: bound(form.from),
      to: bound(form.to),
    };
    const { task, ...others } = wanted;
    const isNarrow = Object.values(others).some((value) => value !== "" && value !== null);
    let shown = 0;
    for (const entry of entries) {
      entry.element.hidden = !fits(entry, wanted);
      shown += entry.element.hidden ? 0 : 1;
    }
    for (const level of boxes) {
      for (const box of level) box.hidden = (isNarrow || task !== "") && !box.querySelector(".entry:not([hidden])");
    }
    for (const box of numbers) box.hidden = isNarrow;
    nothing.hidden = shown > 0 || entries.length === 0;
    status.textContent = shown === entries.length
      ? `${shown.toLocaleString("en")} images`
      : `${shown.toLocaleString("en")} of ${entries.length.toLocaleString("en")} images`;
  };

  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(apply));
  form.hidden = false;
  apply(); // browsers keep what was typed when a page is loaded again
})();
