// What a change touches: made anew as bulk runs, or taken back one after the other; all pages of it.
"use strict";
const MOST = 500; // videos of one bulk run

async function chosen({ dataset }) {
  const all = await (await answerTo(dataset.chosen)).json();
  if (all.length > Number(dataset.count)) throw new Error(dataset.grown);
  return all;
}

// Who presses again after a part of it failed has the rest of the same videos made: those that began are touched still.
let all;
const begun = [];
async function anew(form) {
  const { begin, runs } = form.dataset;
  all ??= await chosen(form);
  for (let from = begun.length * MOST; from < all.length; from += MOST) {
    begun.push(await call("POST", begin, { renders: all.slice(from, from + MOST) }));
  }
  location.assign(begun.length === 1 ? runs + begun[0].id : runs);
}

// Who closes the dialog meanwhile keeps the rest.
async function back(form) {
  const renders = await chosen(form);
  const progress = $("progress", form);
  const why = new URLSearchParams({ reason: form.reason.value });
  Object.assign(progress, { max: renders.length, value: 0, hidden: false });
  for (const render of renders) {
    if (!form.closest("dialog").open) break;
    await call("DELETE", `${form.dataset.each}${render}/output?${why}`);
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
    await work(form);
  } catch (error) {
    for (const button of $$("button", form)) button.disabled = false;
    form.closest("dialog").close();
    trouble(document.body.dataset.failed + error.message);
  }
}

$("#anew")?.addEventListener("submit", (event) => agreed(event, anew));
$("#back")?.addEventListener("submit", (event) => agreed(event, back));
