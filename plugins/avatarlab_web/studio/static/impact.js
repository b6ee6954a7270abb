// What a change touches: made anew as bulk runs, or taken back one after the other; all pages of it.
"use strict";
const MOST = 500; // videos of one bulk run

async function anew(all, { begin, runs }) {
  const begun = [];
  for (let from = 0; from < all.length; from += MOST) {
    begun.push(await call("POST", begin, { renders: all.slice(from, from + MOST) }));
  }
  location.assign(begun.length === 1 ? runs + begun[0].id : runs);
}

async function back(all, { each }, form) {
  const progress = $("progress", form);
  const why = new URLSearchParams({ reason: form.reason.value });
  progress.hidden = false;
  for (const render of all) {
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
    const chosen = await (await answerTo(form.dataset.chosen)).json();
    if (chosen.length > Number(form.dataset.count)) throw new Error(form.dataset.grown);
    await work(chosen, form.dataset, form);
  } catch (error) {
    for (const button of $$("button", form)) button.disabled = false;
    form.closest("dialog").close();
    trouble(document.body.dataset.failed + error.message);
  }
}

$("#anew")?.addEventListener("submit", (event) => agreed(event, anew));
$("#back")?.addEventListener("submit", (event) => agreed(event, back));
