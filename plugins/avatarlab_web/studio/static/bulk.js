// Many videos from a pasted table.
"use strict";
const form = $("#bulk");

async function kept(text, kind) {
  const answer = await answerTo(form.dataset.files, { method: "POST", body: JSON.stringify({ text, kind }) });
  return (await answer.json()).uri;
}

async function asked() {
  const rows = form.rows.value; // as it was pasted: a tab at its end is an empty cell, a line taken off moves the rest
  const file = await kept(rows, /^\s*(\{|\[\s*\{)/.test(rows) ? "jsonl" : "csv");
  const template = form.template.value.trim();
  const body = { file };
  if (template) body.template = await kept(template, "json");
  if (form.deadline.value) body.deadline = new Date(form.deadline.value).toISOString(); // of the reader's own zone
  return body;
}

function show(found) {
  const good = form.dataset.good.replace("%n", found.items).replace("%s", `${Math.round(found.predicted_gpu_s)} s`);
  $("#checked").textContent = found.problems ? form.dataset.bad.replace("%p", found.problems) : good;
  list($("#problems"), [...found.told, found.over_budget].filter(Boolean));
  list($("#notes"), found.notes);
}

function list(where, lines) {
  where.replaceChildren(...lines.map((one) => Object.assign(document.createElement("li"), { textContent: one })));
}

async function attempt(work) {
  const box = $("[data-wrong]", form);
  box.hidden = true;
  const buttons = $$("button", form);
  for (const button of buttons) button.disabled = true;
  try {
    await work(await asked());
  } catch (error) {
    box.textContent = error.message;
    box.hidden = false;
  }
  for (const button of buttons) button.disabled = false;
}

const check = async (body) => show(await call("POST", form.dataset.check, body));
const forget = form && remember(form);
async function begin(body) {
  const told = await call("POST", form.dataset.begin, body);
  forget();
  location.assign(form.dataset.runs + told.id);
}
form?.addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(begin);
});
form?.addEventListener("reset", () => {
  $("#checked").textContent = "";
  for (const found of ["#problems", "#notes"]) list($(found), []);
  $("[data-wrong]", form).hidden = true;
});
$("#check")?.addEventListener("click", () => form.reportValidity() && attempt(check));
if (form) form.inert = false; // until here nobody would have answered a click
