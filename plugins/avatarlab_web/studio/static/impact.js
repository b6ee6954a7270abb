// What a change touches: made anew as one bulk run, or taken back one after the other.
"use strict";

async function anew({ renders, begin, runs }) {
  const { id } = await call("POST", begin, { renders: renders.split(" ") });
  location.assign(runs + id);
}

async function back({ renders, each }, form) {
  const progress = $("progress", form);
  const why = new URLSearchParams({ reason: form.reason.value });
  progress.hidden = false;
  for (const render of renders.split(" ")) {
    await call("DELETE", `${each}${render}/output?${why}`);
    progress.value += 1;
  }
  location.reload();
}

async function agreed(event, work) {
  if (event.submitter.value === "keep") return;
  event.preventDefault();
  const form = event.target;
  for (const button of $$("button", form)) button.disabled = true;
  try {
    await work(form.dataset, form);
  } catch (error) {
    for (const button of $$("button", form)) button.disabled = false;
    form.closest("dialog").close();
    trouble(document.body.dataset.failed + error.message);
  }
}

$("#anew")?.addEventListener("submit", (event) => agreed(event, anew));
$("#back")?.addEventListener("submit", (event) => agreed(event, back));
