// The page on which a video is composed.
"use strict";
const form = $("#make");
const earlier = form.dataset.earlier ? JSON.parse(form.dataset.earlier) : null;
const firstScript = form.script.value;
const PACE = 3.1; // words a second, as the voices speak
const SYLLABLE_S = 0.22; // of speech for a Chinese or Japanese character, as the server expects
const SYLLABLES = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/gu;

// name=value, name="a value with commas and ""quotes""": commas part labels outside of double quotes only.
function labels() {
  const pairs = form.labels.value.match(/("[^"]*"|[^,"])+|"/g) ?? [];
  return Object.fromEntries(pairs.map((one) => one.trim()).filter(Boolean).map((one) => {
    const [, name, quoted, plain] = one.match(/^([^=]*)=\s*(?:"((?:[^"]|"")*)"|([^"]*))$/) ?? [];
    if (name === undefined) throw new Error(form.dataset.badLabel);
    return [name.trim(), quoted?.replaceAll('""', '"') ?? plain.trim()];
  }));
}

// The chosen kind of background and what the contract says of it.
function behind() {
  const { value, dataset } = $("[name=background]:checked", form);
  return { name: value, needs: dataset.needs.split(" "), container: dataset.container || null, cutOut: "cutOut" in dataset };
}

// What holds a kind of background; else what an earlier request asked for, unless its own kind needed that.
function container(kind) {
  const before = $(`[name=background][value="${earlier?.background.kind}"]`, form);
  return kind.container ?? (before?.dataset.container === "" ? earlier.output.container : undefined);
}

// The request as the form stands: what an earlier one said, changed by what is on the page.
function request() {
  const given = new FormData(form);
  const [speech, voice] = given.get("voice")?.split("/") ?? []; // no voice can speak here: the API says so
  const kept = { ...earlier };
  const kind = behind();
  const background = { ...(kept.background?.kind === kind.name && kept.background), kind: kind.name };
  for (const name of kind.needs) if (given.has(name)) background[name] = given.get(name);
  for (const one of $$("[data-recording]:not(:checked)", form)) delete kept[one.name];
  const output = { ...kept.output, aspect: given.get("aspect"), resolution: given.get("resolution"), container: container(kind) };
  output.fit = given.get("fit") === "auto" ? null : given.get("fit");
  output.ai_label = given.get("ai_label") || null;
  return {
    ...kept,
    script: earlier && form.script.value === firstScript ? earlier.script : form.script.value,
    avatar: kept.avatar?.uri === given.get("avatar") ? kept.avatar : { uri: given.get("avatar") },
    engines: { ...kept.engines, ...(kept.voice_sample?.uri ? {} : { speech }) }, // only the engine of then clones, perhaps
    voice: kept.voice_sample?.uri || kept.narration?.uri ? null : voice,
    language: form.language?.value ?? $("[name=voice]:checked", form)?.dataset.languages.split(" ")[0],
    background,
    output,
    captions: given.get("captions"),
    labels: labels(),
  };
}

// A recording alone may tell what is said.
function lacking() {
  return !form.script.value.trim() && !(earlier?.script === null && form.narration?.checked);
}

function wrong(text, within = form) {
  const box = $("[data-wrong]", within);
  box.textContent = text;
  box.hidden = !text;
}

function count() {
  const lines = $("#script-lines");
  const lost = Array.isArray(earlier?.script) && form.script.value !== firstScript;
  if (Boolean(lines.textContent) !== lost) lines.textContent = lost ? lines.dataset.told : ""; // read out each time it is written
  const told = $("#script-count");
  const length = Math.ceil(speech(form.script.value));
  const characters = [...form.script.value].length; // as the contract counts them: a sign beyond 65,535 is one
  const over = characters > Number(told.dataset.most);
  told.classList.toggle("over", over);
  told.textContent = (over ? told.dataset.over : told.dataset.count).replace("%c", characters) + (length ? ` · ${told.dataset.length.replace("%s", time(length))}` : "");
}

// Seconds that a text takes to be said, roughly. Chinese and Japanese part no words.
function speech(text) {
  const words = text.replace(SYLLABLES, " ").match(/\S*[\p{L}\p{N}]\S*/gu) ?? [];
  return words.length / PACE + (text.match(SYLLABLES)?.length ?? 0) * SYLLABLE_S;
}

// Whole seconds as people read them.
function time(seconds) {
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")} min`;
}

function shape() {
  const kind = behind();
  for (const one of $$("[data-of-background]", form)) one.hidden = !kind.needs.includes(one.name);
  const person = $("[name=fit][value=person]", form); // somebody is placed before another background only
  person.disabled = !kind.cutOut;
  if (person.disabled && person.checked) $("[name=fit][value=auto]", form).checked = true;
  const spoken = form.language?.value;
  for (const voice of $$(".voice")) {
    const { languages } = $("[name=voice]", voice).dataset;
    voice.hidden = Boolean(spoken) && !languages.split(" ").includes(spoken);
  }
  const chosen = $("[name=voice]:checked", form)?.closest(".voice");
  const first = $(".voice:not([hidden]) [name=voice]", form); // also where the earlier one is here no more
  if (first && (!chosen || chosen.hidden)) first.checked = true;
}

// What the first frame depends on, its visible label in the language that is spoken among it; not the script.
function look({ avatar, background, output, engines, language }) {
  return JSON.stringify([avatar, background, output.aspect, output.fit, output.ai_label, language, engines.matting]);
}

const canvas = $("[data-canvas]");
const ASKS = 6; // of one preview, where others wait for theirs
let seen = ""; // the look that is shown or on its way
let wanted; // the preview that was asked for last
let painting = Promise.resolve();
async function still(uri) {
  if (!uri && !$("[name=avatar]:checked", form)) return;
  const asked = request();
  if (uri) asked.avatar = { uri };
  if (look(asked) === seen) return;
  if (asked.script === "") asked.script = form.dataset.example;
  const picture = await made("still", asked);
  if (picture) lay(Object.assign(new Image(), { src: picture, alt: form.dataset.alt }));
}

async function draft() {
  if (lacking()) return wrong(form.dataset.noScript) ?? form.script.focus();
  if (!$("[name=avatar]:checked", form)) return wrong(form.dataset.noAvatar) ?? $(".face", form).focus();
  const button = $("#draft");
  button.disabled = true;
  wrong("");
  try {
    const film = await made("draft", request());
    if (film) play(film, button.textContent);
  } catch (error) {
    wrong(error.message); // a label, say, of which no request can be made
  } finally {
    button.disabled = false;
  }
}

function play(film, name) {
  const video = Object.assign(document.createElement("video"), { src: film, controls: true, playsInline: true, autoplay: true });
  video.setAttribute("aria-label", name);
  lay(video);
}

// Asks for a preview and returns its address within this page; null when another was asked for meanwhile. It is asked for
// once the one before has come: the server has a few places for everybody, and goes on with what nobody waits for.
function made(kind, body) {
  const mine = (wanted = { kind, body });
  seen = look(body);
  canvas.dataset.busy = form.dataset[kind];
  painting = painting.then(() => paint(mine));
  return painting;
}

async function paint(mine) {
  try {
    const media = await (await painted(mine))?.blob().catch(unreached);
    return media && mine === wanted ? URL.createObjectURL(media) : null;
  } catch (error) {
    if (mine !== wanted) return null;
    wrong(error.message);
    seen = ""; // another look is shown: the next change on the page asks again
    return null;
  } finally {
    if (mine === wanted) delete canvas.dataset.busy;
  }
}

// The answer, asked for again when the server says; null where another preview is wanted by then.
async function painted(mine) {
  const options = { method: "POST", body: JSON.stringify(mine.body) };
  for (let asked = 1; mine === wanted; asked += 1) {
    try {
      return await answerTo(form.dataset.preview + mine.kind, options);
    } catch (error) {
      if (asked === ASKS || !(error.after <= 60)) throw error;
      await new Promise((resolve) => setTimeout(resolve, error.after * 1000));
    }
  }
  return null;
}

function lay(media) {
  const before = $("img, video", canvas);
  if (before) URL.revokeObjectURL(before.src);
  canvas.replaceChildren(media);
}

const untold = ["#said", "#reused", "#notes", "#reading"].map((name) => [$(name), $(name).innerHTML]);
let asking;
async function estimate() {
  asking?.abort();
  asking = new AbortController();
  if (lacking() || !$("[name=avatar]:checked", form)) return untell();
  try {
    const body = JSON.stringify(request());
    const answer = await answerTo(form.dataset.estimate, { method: "POST", body, signal: asking.signal });
    tell(await answer.json());
  } catch (error) {
    if (error.name !== "AbortError") wrong(error.message);
  }
}

// As the page was before anything was told.
function untell() {
  for (const [part, html] of untold) if (part.innerHTML !== html) part.innerHTML = html; // read out each time it is written
}

function tell(found) {
  const work = Math.max(1, Math.round(found.predicted_s));
  $("#said").textContent = found.predicted_s ? form.dataset.work.replace("%s", time(work)) : form.dataset.all;
  const names = JSON.parse(form.dataset.stages);
  const reused = found.cached.map((one) => names[one]).filter(Boolean).join(", ");
  const gpu = found.predicted_gpu_s >= 1 && form.dataset.gpu.replace("%g", `${Math.round(found.predicted_gpu_s)} s`);
  $("#reused").textContent = [gpu, reused && form.dataset.reused.replace("%s", reused)].filter(Boolean).join(" ");
  list($("#notes"), found.warnings);
  list($("#reading"), found.script.map(read));
}

// A sentence as the voice will read it, with the sounds of words that a lexicon or a mark tells.
function read({ said, sounds }) {
  const words = said.trim().split(/\s+/);
  for (const [index, ipa] of sounds) words[index] += ` /${ipa}/`;
  return words.join(" ");
}

function list(where, lines) {
  where.replaceChildren(...lines.map((one) => Object.assign(document.createElement("li"), { textContent: one })));
}

let pause;
function changed(rest = 500) { // milliseconds: who writes is let write on, a choice is shown soon
  asking?.abort(); // it would tell of what stood here before
  wrong(""); // now, not after the rest: what is refused meanwhile stays to be read
  count();
  shape();
  clearTimeout(pause);
  pause = setTimeout(() => Promise.all([estimate(), still()]).catch((error) => wrong(error.message)), rest);
}

const forget = remember(form);
async function go(event) {
  event.preventDefault();
  const button = $("button.first", form);
  if (lacking()) return wrong(form.dataset.noScript) ?? form.script.focus();
  if (!$("[name=avatar]:checked", form)) return wrong(form.dataset.noAvatar) ?? $(".face", form).focus();
  const before = button.textContent;
  button.disabled = true;
  button.textContent = form.dataset.going;
  try {
    const told = await call("POST", form.action, { ...request(), priority: "interactive" });
    forget();
    location.assign(form.dataset.videos + told.id);
  } catch (error) {
    wrong(error.message);
    button.disabled = false;
    button.textContent = before;
  }
}

const heard = new Audio();
function hear(button) {
  for (const other of $$(".hear")) other.classList.toggle("playing", other === button);
  heard.src = button.dataset.hear;
  heard.onended = () => button.classList.remove("playing");
  heard.play().catch((error) => {
    if (error.name !== "AbortError") trouble(document.body.dataset.failed + error.message); // else another is to be heard
  });
}

// Adding a portrait: the file, who is shown, and what proves that they agree, in one step.
const bring = $("#bring");
function chose() {
  const [file] = bring.file.files;
  $("[data-chosen]", bring).textContent = file ? file.name : "";
}
let sending;
async function send(event) {
  event.preventDefault();
  const bytes = [bring.file, bring.evidence].flatMap((one) => [...one.files]).reduce((sum, one) => sum + one.size, 0);
  if (bytes > Number(bring.dataset.most)) return wrong(bring.dataset.tooLarge, bring);
  const button = $("button.first", bring);
  const before = button.textContent;
  button.disabled = true;
  button.textContent = bring.dataset.sending;
  wrong("", bring);
  sending = new AbortController();
  const { signal } = sending;
  try {
    const answer = await answerTo(bring.action, { body: new FormData(bring), signal }, upload);
    const added = await choose((await answer.json()).uri, signal);
    bring.closest("dialog").close();
    added?.focus(); // after the dialog, which gives the focus back to a button that is gone
    bring.reset();
    chose();
  } catch (error) {
    if (!signal.aborted) wrong(error.message, bring);
    changed(); // to the first frame of who is chosen still
  }
  button.disabled = false;
  button.textContent = before;
}

// POSTs as `fetch` would, and shows how much of it has gone, which `fetch` does not tell.
function upload(address, { body, signal }) {
  const bar = $("progress", bring);
  const sent = new XMLHttpRequest();
  sent.upload.addEventListener("progress", ({ loaded, total }) => Object.assign(bar, { max: total, value: loaded, hidden: false }));
  sent.upload.addEventListener("loadend", () => (bar.hidden = true)); // it is being looked at
  signal.addEventListener("abort", () => sent.abort());
  sent.open("POST", address);
  sent.send(body);
  return new Promise((resolve, reject) => {
    const led = () => sent.responseURL !== address; // to the login page, as `loggedOut` says
    sent.addEventListener("load", () => resolve(new Response(sent.response, { status: led() ? 401 : sent.status })));
    sent.addEventListener("error", () => reject(new TypeError(address)));
    sent.addEventListener("abort", () => reject(signal.reason));
  });
}

// The gallery as it is now, with the new avatar chosen and returned; what was written stays.
async function choose(uri, signal) {
  still(uri).catch((error) => wrong(error.message)); // while the gallery is on its way
  const answer = await answerTo(location.href, { signal });
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  $(".gallery").replaceWith(fresh.querySelector(".gallery"));
  const added = $$("[name=avatar]", form).find((one) => one.value === uri);
  if (added) added.checked = true;
  form.dispatchEvent(new Event("input")); // as if somebody had chosen it
  return added;
}

for (const name of ["dragover", "drop"]) {
  document.addEventListener(name, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    if (name !== "drop") return;
    const dialog = $("#upload");
    if (!dialog.open) dialog.showModal();
    bring.file.files = event.dataTransfer.files;
    chose();
  });
}
bring.file.addEventListener("change", chose);
bring.addEventListener("submit", send);
$("#upload").addEventListener("close", () => sending?.abort()); // who closes it wants no other avatar chosen later
form.addEventListener("input", ({ target }) => {
  if (target.name === "voice") for (const one of $$("[data-recording]", form)) one.checked = false; // a voice in its place
  changed(["radio", "checkbox"].includes(target.type) ? 150 : 500);
});
form.addEventListener("reset", () => setTimeout(changed)); // once the fields are as they were
form.addEventListener("submit", go);
document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-hear], [data-close]");
  if (target?.dataset.hear) hear(target);
  if (target?.hasAttribute("data-close")) target.closest("dialog").close();
});
$("#draft").addEventListener("click", draft);
const tongues = new Intl.DisplayNames([document.documentElement.lang], { type: "language" });
for (const one of form.language?.options ?? []) one.textContent = tongues.of(one.value);
form.inert = false; // until here nobody would have answered a click
form.script.focus({ preventScroll: true });
if (location.hash === "#upload") $("#upload").showModal();
changed();
