"use strict";
(() => {
  const form = document.getElementById("filters");
  const status = form.querySelector("output");
  const nothing = document.getElementById("nothing");
  const entries = [...document.querySelectorAll(".entry")].map((element) => ({
    element,
    image: element.dataset.image,
    task: element.dataset.task,
    tag: element.dataset.tag,
    outcome: element.dataset.outcome,
    ancestry: element.dataset.ancestry.toLowerCase(),
    confidence: element.dataset.confidence === undefined ? null : Number(element.dataset.confidence),
  }));
  const different = (some) => new Set(some.map((entry) => entry.image)).size;
  const all = different(entries);
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
    for (const entry of entries) entry.element.hidden = !fits(entry, wanted);
    const shown = different(entries.filter((entry) => !entry.element.hidden));
    for (const level of boxes) {
      for (const box of level) box.hidden = (isNarrow || task !== "") && !box.querySelector(".entry:not([hidden])");
    }
    for (const box of numbers) box.hidden = isNarrow;
    nothing.hidden = shown > 0 || entries.length === 0;
    status.textContent = shown === all
      ? `${shown.toLocaleString("en")} images`
      : `${shown.toLocaleString("en")} of ${all.toLocaleString("en")} images`;
  };

  // What is asked for stands in the address after #, so that a link or a bookmark leads back to it.
  const MARK = "#show?";
  const remember = () => {
    const asked = [...new FormData(form)].filter(([, value]) => value !== "");
    const hash = asked.length ? MARK + new URLSearchParams(asked) : "#";
    if (asked.length || location.hash.startsWith(MARK)) history.replaceState(null, "", hash);
  };
  const recall = () => {
    if (!location.hash.startsWith(MARK)) return;
    form.reset();
    for (const [name, value] of new URLSearchParams(location.hash.slice(MARK.length))) {
      if (form.elements[name]) form.elements[name].value = value;
    }
  };

  const changed = () => (apply(), remember());
  form.addEventListener("input", changed);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(changed));
  window.addEventListener("hashchange", () => (recall(), apply()));
  form.hidden = false;
  recall();
  apply(); // browsers keep what was typed when a page is loaded again
})();
