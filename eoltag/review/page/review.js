"use strict";
// Texts of bundles only ever become text nodes; nothing here is parsed as HTML.
const token = new URLSearchParams(location.search).get("token") || "";
const at = (id) => document.getElementById(id);
const GRID = 30;
const items = new Map();      // place in the queue -> image
const unsent = [];            // judgements that the server has not confirmed yet
const history = [];           // places that were judged in this window, for undo
let place = 0, total = 0, done = 0, tags = {}, missing = {}, isGrid = false, sending = false, changes = new Map();
let person = localStorage.getItem("eoltag-person") || "";

async function ask(path, options = {}) {
  const answer = await fetch(path, { ...options, headers: { "X-Token": token, "Content-Type": "application/json" } });
  if (!answer.ok) throw new Error(`${answer.status}: ${(await answer.json().catch(() => ({}))).detail || answer.statusText}`);
  return answer.json();
}

async function load(start) {
  const page = await ask(`api/queue?person=${encodeURIComponent(person)}&start=${start}`);
  total = page.total; tags = page.tags; missing = page.missing; done = page.done;
  page.items.forEach((item, number) => { if (!items.has(start + number)) items.set(start + number, item); });
  return page;
}

async function need(number) {                      // the image at a place, and those after it in good time
  if (number >= total) return null;
  if (!items.has(number)) await load(number);
  const ahead = number + GRID + 10;
  if (ahead < total && !items.has(ahead)) load(number + [...Array(GRID + 10).keys()].findIndex((n) => !items.has(number + n)) || ahead).catch(tell);
  for (let next = number + 1; next < number + 4; next++) if (items.has(next)) new Image().src = source(items.get(next), isGrid ? "any" : "large");
  return items.get(number);
}

const source = (item, size) => `api/picture/${encodeURIComponent(item.task)}/${item.content_sha256}?size=${size}&token=${encodeURIComponent(token)}`;
const isAddress = (url) => /^https?:\/\//i.test(url);

function picture(image, item, size, onMissing) {   // what is kept, the address of the image, and at last its thumbnail
  const sources = [source(item, size)];
  if (isAddress(item.url)) sources.push(item.url);
  if (size === "large") sources.push(source(item, "any"));
  image.onerror = () => { if (sources.length) image.src = sources.shift(); else onMissing(); };
  image.alt = item.tag || "no tag";
  image.src = sources.shift();
}

// An image of a task that may give several tags: item.on holds those that the person has switched on.
const isSeveral = (item) => item.tags !== null;
const offered = (item) => [...new Set([...(tags[item.task] || []), ...item.tags, ...(item.on || [])])];
const textOf = (item, on) => offered(item).filter((tag) => on.has(tag)).join("|") || missing[item.task];

function chosen(item) {
  if (!item.on) {
    const said = item.judged && item.judged.said_tag;
    item.on = new Set((said ? said.split("|") : item.tags).filter((tag) => tag !== missing[item.task]));
  }
  return item.on;
}

function turn(item, tag) {
  const on = chosen(item);
  if (!on.delete(tag)) on.add(tag);
}

function tell(problem) { at("message").textContent = problem ? String(problem.message || problem) : ""; }

async function flush() {                           // in their order; what fails is sent again
  if (sending || !unsent.length) return;
  sending = true;
  const batch = unsent.slice(0, 60);
  try {
    await ask("api/judge", { method: "POST", body: JSON.stringify(batch) });
    unsent.splice(0, batch.length); tell("");
    localStorage.setItem("eoltag-unsent", JSON.stringify(unsent));
  } catch (problem) {
    tell(`not saved yet (${problem.message}); trying again`);
    setTimeout(flush, 2000); sending = false; return;
  }
  sending = false; status();
  if (unsent.length) flush();
}

function send(item, tag, isWithdrawn = false) {
  unsent.push({ person, task: item.task, content_sha256: item.content_sha256, said_tag: tag, is_withdrawn: isWithdrawn, id: `${Date.now()}-${Math.random().toString(36).slice(2)}` });
  localStorage.setItem("eoltag-unsent", JSON.stringify(unsent));
  flush();
}

function status() {
  at("progress").textContent = `${done.toLocaleString("en")} of ${total.toLocaleString("en")} judged` + (unsent.length ? `, ${unsent.length} being saved` : "");
  at("bar").style.setProperty("width", `${total ? (100 * done) / total : 0}%`);
  at("who").textContent = person;
}

async function show(number) {
  place = Math.max(0, Math.min(number, total));
  status();
  if (isGrid) return showGrid();
  const item = await need(place);
  at("one").hidden = !item;
  if (!item) { tell(total ? "That was the last one." : "No image is in this slice."); return; }
  at("no-picture").hidden = true; at("picture").hidden = false;
  picture(at("picture"), item, "large", () => { at("picture").hidden = true; at("no-picture").hidden = false; });
  at("tag").textContent = item.tag || "(no tag)";
  at("judged").textContent = item.judged ? `you said: ${item.judged.said_tag || "I cannot tell"}` : "";
  const choices = at("choices"); choices.replaceChildren();
  const add = (key, text, isPressed, act) => {
    const button = document.createElement("button"), kbd = document.createElement("kbd"), said = document.createElement("span");
    button.type = "button"; kbd.textContent = key; said.textContent = text; button.append(kbd, said);
    if (!key) kbd.remove();
    button.setAttribute("aria-pressed", String(isPressed));
    button.onclick = act; choices.append(button);
  };
  const isSaid = (tag) => Boolean(item.judged) && item.judged.said_tag === tag;
  if (isSeveral(item)) {
    const on = chosen(item);
    add("Enter", `it shows: ${textOf(item, on)}`, false, () => judge(textOf(item, on)));
    offered(item).forEach((tag, number) => add(number < 9 ? String(number + 1) : "", tag, on.has(tag), () => { turn(item, tag); show(place); }));
  } else {
    if (item.tag) add("Enter", `right: ${item.tag}`, isSaid(item.tag), () => judge(item.tag));
    (tags[item.task] || []).slice(0, 9).forEach((tag, number) => { if (tag !== item.tag) add(String(number + 1), tag, isSaid(tag), () => judge(tag)); });
  }
  add("u", "I cannot tell", isSaid(null), () => judge(null));
  const facts = at("facts"); facts.replaceChildren();
  const fact = (name, value) => { if (value === null || value === "") return; const dt = document.createElement("dt"), dd = document.createElement("dd"); dt.textContent = name; dd.append(value); facts.append(dt, dd); };
  fact("task", item.task); fact("rule", item.rule);
  for (const [name, score] of Object.entries(item.scores)) fact(name, score.toFixed(3));
  fact("ancestry", item.ancestry); fact("row", `${item.bundle_row}, ${item.bundle}`);
  if (isAddress(item.url)) { const link = document.createElement("a"); link.href = item.url; link.target = "_blank"; link.rel = "noopener noreferrer"; link.textContent = item.url; fact("image", link); } else fact("image", item.url);
}

function judge(tag) {
  const item = items.get(place);
  if (!item) return;
  if (!item.judged) done += 1;
  history.push([place, item.judged]);
  item.judged = { said_tag: tag };
  send(item, tag); show(place + 1);
}

function undo() {
  const last = history.pop();
  if (!last) return tell("nothing to undo in this window");
  const [number, before] = last, item = items.get(number);
  item.judged = before; item.on = null; if (!before) done -= 1;
  send(item, null, true); show(number);
}

async function showGrid() {
  at("one").hidden = true;
  const grid = at("grid"); grid.hidden = false; grid.replaceChildren(); changes = new Map();
  if (place < total) await need(place);
  for (let number = place; number < Math.min(place + GRID, total); number++) {
    const item = await need(number);
    if (isSeveral(item)) item.on = new Set(item.tags);
    const figure = document.createElement("figure"), image = document.createElement("img"), caption = document.createElement("figcaption");
    figure.tabIndex = 0; figure.dataset.place = number; caption.textContent = item.tag || "(no tag)";
    image.loading = "lazy"; picture(image, item, "any", () => { image.alt = "no picture"; });
    figure.onclick = () => figure.focus();
    figure.append(image, caption); grid.append(figure);
  }
  if (grid.firstChild) grid.firstChild.focus(); else tell("That was the last one.");
}

function change(figure, tag) {
  const item = items.get(Number(figure.dataset.place));
  if (tag === undefined) changes.delete(item); else changes.set(item, tag);
  figure.classList.toggle("changed", changes.has(item));
  figure.lastChild.textContent = changes.has(item) ? (tag === null ? "I cannot tell" : `${item.tag} → ${tag}`) : item.tag || "(no tag)";
}

function choose(figure, item, tag) {               // a number in the grid
  if (!isSeveral(item)) return change(figure, tag === item.tag ? undefined : tag);
  turn(item, tag);
  const text = textOf(item, chosen(item));
  change(figure, text === textOf(item, new Set(item.tags)) ? undefined : text);
}

function saveGrid() {
  for (let number = place; number < Math.min(place + GRID, total); number++) {
    const item = items.get(number);
    if (!item || (!item.tag && !changes.has(item))) continue;
    const tag = changes.has(item) ? changes.get(item) : item.tag;
    if (!item.judged) done += 1;
    history.push([number, item.judged]); item.judged = { said_tag: tag }; send(item, tag);
  }
  show(place + GRID);
}

function gridKey(event) {
  const figure = document.activeElement.closest && document.activeElement.closest("#grid figure");
  const columns = getComputedStyle(at("grid")).gridTemplateColumns.split(" ").length;
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns };
  if (event.key in steps) {
    const all = [...at("grid").children], next = all[all.indexOf(figure) + steps[event.key]];
    if (next) next.focus(); event.preventDefault();
  } else if (event.key === "Enter") { saveGrid(); event.preventDefault();
  } else if (figure && /^[1-9]$/.test(event.key)) {
    const item = items.get(Number(figure.dataset.place)), tag = (tags[item.task] || [])[Number(event.key) - 1];
    if (tag !== undefined) choose(figure, item, tag);
  } else if (figure && event.key === "u") change(figure, null);
  else if (event.key === "b") show(place - GRID);
  else if (event.key === "s") show(place + GRID);
  else return false;
  return true;
}

function press(item, tag) {                        // a number, or a typed tag, beside the large picture
  if (tag === undefined) return;
  if (isSeveral(item)) { turn(item, tag); show(place); } else judge(tag);
}

function oneKey(event) {
  const item = items.get(place), key = event.key;
  if (key === "b" || key === "ArrowLeft") show(place - 1);
  else if (key === "s" || key === "ArrowRight") show(place + 1);
  else if (!item) return false;
  else if (key === "Enter" || key === "y") { if (!item.tag) return false; judge(isSeveral(item) ? textOf(item, chosen(item)) : item.tag); event.preventDefault(); }
  else if (key === "u") judge(null);
  else if (key === "t") { at("typed").value = ""; at("other").showModal(); event.preventDefault(); }
  else if (/^[1-9]$/.test(key)) { press(item, (isSeveral(item) ? offered(item) : tags[item.task] || [])[Number(key) - 1]); }
  else return false;
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.key === "Enter" && document.activeElement instanceof HTMLButtonElement) return;
  if (event.key === "g") toggle();
  else if (event.key === "z") undo();
  else if (event.key === "?") at("help").click();
  else if (isGrid) gridKey(event); else oneKey(event);
});

function toggle() {
  isGrid = !isGrid; at("mode").textContent = isGrid ? "One by one (g)" : "Grid (g)"; at("grid").hidden = true; show(place);
}
at("mode").onclick = (event) => { event.currentTarget.blur(); toggle(); };
at("help").onclick = (event) => { const keys = at("keys"); keys.hidden = !keys.hidden; event.currentTarget.setAttribute("aria-expanded", String(!keys.hidden)); event.currentTarget.blur(); };
at("other").onclose = () => {
  const item = items.get(place), tag = at("typed").value.trim();
  if (!item || !tag) return;
  if (!isSeveral(item)) return judge(tag);
  tag.split("|").forEach((one) => { if (one.trim()) chosen(item).add(one.trim()); });
  show(place);
};
at("who").onclick = (event) => { event.currentTarget.blur(); at("person").value = person; at("name").showModal(); };
at("name").onclose = () => {
  const given = at("person").value.trim();
  if (!given && !person) { at("name").showModal(); return; }
  if (given && given !== person) { person = given; localStorage.setItem("eoltag-person", person); items.clear(); history.length = 0; start(); }
};

async function start() {
  try {
    unsent.push(...JSON.parse(localStorage.getItem("eoltag-unsent") || "[]").filter((one) => !unsent.length)); flush();
    const page = await load(0);
    await show(page.first_open < page.total ? page.first_open : page.total);
  } catch (problem) { tell(problem); }
}
if (person) start(); else at("name").showModal();
