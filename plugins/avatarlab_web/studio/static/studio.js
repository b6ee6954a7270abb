// What every page needs: times in the reader's zone, live parts, dialogs, calls of the API.
// It is loaded before the page's body, so that no click comes before who answers it.
"use strict";
const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

const shown = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
function localise(within = document) {
  for (const time of $$("time[datetime]", within)) time.textContent = shown.format(new Date(time.dateTime));
}

function trouble(text) {
  const box = $("#trouble");
  if ($("span", box).textContent === text) return; // told already
  $("span", box).textContent = text;
  $("a", box).hidden = !text.includes(document.body.dataset.login);
  box.hidden = !text;
}

// What a page that asks again by itself told is over; what somebody's press led to stays.
function regained() {
  if ([document.body.dataset.lost, document.body.dataset.login].includes($("#trouble span").textContent)) trouble("");
}

function say(text) {
  if (text && $("#news").textContent !== text) $("#news").textContent = text;
}

// The answer to a page's question; whatever went wrong is thrown as a sentence that explains it, with the status that
// was answered, if any was, and after how many seconds the server would be asked again.
async function answerTo(address, options = {}, ask = fetch) {
  const kind = typeof options.body === "string" ? { "Content-Type": "application/json" } : {};
  const answer = await ask(address, { ...options, headers: { ...kind, ...options.headers } }).catch(unreached);
  if (answer.ok && !loggedOut(answer)) return answer;
  const told = await answer.json().catch(() => ({})); // what stands before the server may answer without a sentence
  const after = Number(answer.headers.get("Retry-After") ?? NaN);
  throw Object.assign(new Error(refusal(told, answer)), { status: answer.status, after });
}

function unreached(error) {
  throw error.name === "AbortError" ? error : new Error(document.body.dataset.unreached);
}

// Calls the API and returns its answer; a refusal is thrown as the sentence that explains it.
// The same order, asked again from this page, has the same key: if only its answer was lost, it is not made twice,
// whatever was answered in between. Nothing is kept under the key of what was refused: asked again, it is judged anew.
const keys = new Map();
async function call(method, address, body) {
  const sent = body === undefined ? undefined : JSON.stringify(body);
  const headers = method === "POST" ? { "Idempotency-Key": key(`${address} ${sent}`) } : {};
  const said = await (await answerTo(address, { method, headers, body: sent })).text().catch(unreached);
  return said ? JSON.parse(said) : {};
}

function key(order) {
  const random = crypto.getRandomValues(new Uint32Array(4)); // randomUUID is for https and localhost alone
  if (!keys.has(order)) keys.set(order, random.join("-"));
  return keys.get(order);
}

// Whether the login has ended: the server says so, or an older browser was led to the login page.
function loggedOut(answer) {
  return answer.status === 401 || answer.redirected;
}

function refusal(told, answer) {
  if (loggedOut(answer)) return document.body.dataset.login;
  const fields = (told.errors ?? []).map((one) => one.detail ?? one.message ?? "").filter(Boolean);
  const detail = typeof told.detail === "string" ? told.detail : told.title;
  return [detail, ...fields.filter((one) => !detail?.includes(one))].filter(Boolean).join("; ") || document.body.dataset.answered.replace("%s", answer.status);
}

// Draws a part of the page anew where it differs from what it was drawn from; a link in it that has the focus keeps it.
const drawn = new WeakMap();
function draw(part, html) {
  if (html === drawn.get(part) || part.matches(":active")) return; // a link drawn anew under a finger takes no click
  const held = document.activeElement;
  const alike = () => $$("a", part).filter((one) => one.href === held.href);
  const place = alike().indexOf(held);
  part.innerHTML = html;
  drawn.set(part, html);
  localise(part);
  alike()[place]?.focus({ preventScroll: true });
}

// A function that does the work, and once more where it was called meanwhile: never twice at a time.
function oneByOne(work) {
  let wanted = false, working = null;
  const all = async () => {
    for (; wanted; await work()) wanted = false;
    working = null;
  };
  return () => {
    wanted = true;
    return (working ??= all());
  };
}

// A part of the page that its server draws anew, at each event or else each second, until what it shows is
// over; then the whole page is. A hidden page holds no stream: a browser has six connections to a server of HTTP/1.1.
// Of what stands in line no event tells that its expected start moved, and none comes again of what could not be shown.
function follow(part) {
  let later = null, events = null;
  const look = async () => {
    lookLater();
    const answer = await fetch(part.dataset.live);
    if (loggedOut(answer)) return trouble(document.body.dataset.login);
    if (!answer.ok) throw new Error(answer.status);
    const fresh = await answer.text();
    draw(part, fresh);
    if (!$("[data-in-line]", part)) clearTimeout(later);
    regained();
    const news = $("[data-news]", new DOMParser().parseFromString(fresh, "text/html"));
    say(news?.dataset.news);
    if (news?.hasAttribute("data-over")) location.reload();
  };
  const again = oneByOne(() => look().catch(() => trouble(document.body.dataset.lost)));
  const ask = () => (document.hidden ? Promise.resolve() : again()).then(() => setTimeout(ask, 1000));
  const lookLater = () => {
    clearTimeout(later);
    later = setTimeout(() => document.hidden || again(), 15000);
  };
  if (!part.dataset.events) return ask();
  const listen = () => {
    events?.close();
    if (document.hidden) return;
    lookLater();
    events = new EventSource(part.dataset.events);
    events.addEventListener("render", again);
    events.addEventListener("error", ({ target }) => target.readyState === EventSource.CLOSED && giveUp());
  };
  const turned = () => {
    listen();
    if (!document.hidden) again();
  };
  const giveUp = () => {
    document.removeEventListener("visibilitychange", turned);
    ask();
  };
  document.addEventListener("visibilitychange", turned);
  listen();
}

// A list is drawn anew as a whole until nothing in it moves.
function refresh(list) {
  const look = async () => {
    if (document.hidden || (await renewed(list))) rest();
  };
  const rest = () => setTimeout(look, Number(list.dataset.refresh));
  rest();
}

// Whether something may still move.
async function renewed(list) {
  const answer = await fetch(location.href).catch(() => null);
  if (answer && loggedOut(answer)) trouble(document.body.dataset.login);
  const html = answer?.ok && !answer.redirected && (await answer.text().catch(() => ""));
  if (!html) return true;
  regained();
  const fresh = new DOMParser().parseFromString(html, "text/html").querySelector("[data-refresh], .cards");
  if (!fresh) return location.reload(); // the last of them has left it
  const touched = list.matches(":active"); // not drawn now
  draw(list, fresh.innerHTML);
  return touched || fresh.hasAttribute("data-refresh");
}

// What is written into a form stays in its tab until it is sent, for whoever leaves the page and comes back by whatever
// way; a line tells of it, and its button gives back what the page showed at first. Returns what forgets it.
function remember(form) {
  const name = `${form.dataset.me} ${location.pathname}${location.search}`;
  const forget = () => sessionStorage.removeItem(name);
  const kept = JSON.parse(sessionStorage.getItem(name));
  if (kept) takeUp(form, new Map(kept));
  const told = $("[data-kept]", form);
  told.hidden = !kept;
  form.addEventListener("reset", () => {
    forget();
    told.hidden = true;
    $("textarea", form).focus(); // the button is gone
  });
  form.addEventListener("input", () => {
    try {
      sessionStorage.setItem(name, JSON.stringify([...new FormData(form)]));
    } catch {
      forget(); // more than a browser keeps: none is better than an older one
    }
  });
  return forget;
}

// A choice that is gone changes nothing.
function takeUp(form, kept) {
  for (const field of form.elements) {
    const value = kept.get(field.name);
    if (field.type === "checkbox") field.checked = kept.has(field.name);
    else if (field.type === "radio") field.checked ||= field.value === value;
    else if (field.options ? [...field.options].some((one) => one.value === value) : value !== undefined) field.value = value;
  }
}

// What a button with an address does. One that sends its form sends its fields, any other nothing: it may stand beside
// a link that is a secret.
async function act(button) {
  const form = button.type === "submit" ? button.form : null;
  if (form && !form.reportValidity()) return;
  const asked = new URLSearchParams(form ? new FormData(form) : undefined);
  button.disabled = true;
  try {
    const told = await call(button.dataset.call, asked.size ? `${button.dataset.to}?${asked}` : button.dataset.to);
    if (asked.has("withdraw") && told.videos.length) throw new Error(document.body.dataset.left.replace("%s", told.videos.length));
    if (button.dataset.done) button.textContent = button.dataset.done; // a link is shown this once: its page stays
    else location.reload(); // to assign an address with a fragment, as of #content, would only scroll
  } catch (error) {
    button.disabled = false;
    button.closest("dialog")?.close();
    trouble(document.body.dataset.failed + error.message);
  }
}

// A second press while the first one's work goes on does nothing.
async function once(button, work) {
  button.disabled = true;
  await work().finally(() => (button.disabled = false));
}

async function judge(form) {
  const given = new FormData(form);
  const ratings = {};
  for (const [name, value] of given) if (name !== "comment") ratings[name] = Number(value);
  const comment = given.get("comment").trim();
  try {
    await call("PUT", form.action, { ratings, comments: comment ? { video: comment } : {} });
    form.replaceChildren(Object.assign(document.createElement("p"), { textContent: form.dataset.thanks, role: "status" }));
  } catch (error) {
    trouble(document.body.dataset.failed + error.message);
  }
}

// Makes a link for people without a login; it is shown this once.
async function share(form) {
  const link = form.elements.link;
  try {
    link.value = (await call("POST", form.dataset.share, { days: Number(form.elements.days.value) })).url;
    link.closest("label").hidden = false;
    link.select();
  } catch (error) {
    form.closest("dialog").close();
    trouble(document.body.dataset.failed + error.message);
  }
}

// The address that a video was led to expires while it is looked at; its own leads to a new one. What fails again within
// a minute is broken, or gone.
const reloaded = new WeakMap();
function reload(video) {
  if (Date.now() - (reloaded.get(video) ?? -Infinity) < 60000) return;
  reloaded.set(video, Date.now());
  const { currentTime, playbackRate, paused } = video;
  video.load();
  Object.assign(video, { currentTime, playbackRate });
  if (!paused) video.play().catch(() => {}); // its own controls show that it stands
}

// A frame of Airflow's page may not navigate it; a link that its own document follows may.
function leave(event) {
  if (window.parent === window) return;
  event.preventDefault();
  const link = window.parent.document.createElement("a");
  link.href = event.target.href;
  link.target = event.target.target;
  window.parent.document.body.append(link);
  link.click();
  link.remove();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.dialog) document.getElementById(button.dataset.dialog).showModal();
  if (button?.dataset.call) {
    event.preventDefault();
    act(button);
  }
  if (button && "close" in button.dataset) button.closest("dialog").close();
  if (event.target.closest("a[data-outside]")) leave(event);
});
document.addEventListener("submit", (event) => {
  if (event.target.matches("[data-feedback]")) {
    event.preventDefault();
    once(event.submitter, () => judge(event.target));
  }
  if (event.target.matches("[data-share]")) {
    event.preventDefault();
    once(event.submitter, () => share(event.target));
  }
});
document.addEventListener("error", ({ target }) => target instanceof HTMLVideoElement && reload(target), true); // bubbles not
document.addEventListener("DOMContentLoaded", () => {
  localise();
  $(".bar [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  $$("[data-live]").forEach(follow);
  $$("[data-refresh]").forEach(refresh);
});
