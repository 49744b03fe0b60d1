"use strict";
// Search, filters and deep links of report.html. Without it the page is whole, only not filtered.
(() => {
  const form = document.getElementById("filter");
  const told = document.getElementById("shown");
  const controls = [...document.querySelectorAll("details.control")].map((element) => ({
    element,
    verdict: element.dataset.verdict,
    chapter: element.dataset.chapter,
    ids: element.dataset.ids.split("|"),
    text: [...element.querySelectorAll("summary, .claim, .meta, .spec h4 small")]
      .map((part) => part.textContent).join(" ").toLowerCase(),
  }));
  const chapters = [...document.querySelectorAll("section.chapter")];

  const fits = (control, wanted) =>
    (!wanted.verdicts.length || wanted.verdicts.includes(control.verdict)) &&
    (!wanted.chapter || control.chapter === wanted.chapter) &&
    (!wanted.framework || control.ids.includes(wanted.framework)) &&
    wanted.words.every((word) => control.text.includes(word));

  function filter() {
    const asked = new FormData(form);
    const wanted = {
      verdicts: asked.getAll("verdict"),
      chapter: asked.get("chapter"),
      framework: asked.get("framework"),
      words: asked.get("words").toLowerCase().split(/\s+/).filter(Boolean),
    };
    const left = new Set();
    let shown = 0;
    for (const control of controls) {
      const hidden = !fits(control, wanted);
      if (control.element.hidden !== hidden) control.element.hidden = hidden;
      if (!hidden) { shown += 1; left.add(control.chapter); }
    }
    for (const chapter of chapters) chapter.hidden = !left.has(chapter.dataset.chapter);
    told.textContent = shown === controls.length
      ? `All ${shown} controls are shown.`
      : `${shown} of ${controls.length} controls are shown, the others are filtered out.`;
    told.classList.toggle("partial", shown !== controls.length);
  }

  function named() {
    try { return decodeURIComponent(location.hash.slice(1)); } catch { return ""; }
  }

  function follow() {
    const target = document.getElementById(named());
    if (!target) return;
    if (target.closest("[hidden]")) { form.reset(); filter(); }
    if (target.matches("details")) {
      target.open = true;
      target.querySelector("summary").focus({ preventScroll: true });
    }
    target.scrollIntoView({ block: "start" });
  }

  const each = (open) => () => {
    for (const control of controls) if (!control.element.hidden) control.element.open = open;
  };
  form.hidden = false;
  form.addEventListener("input", filter);
  form.addEventListener("change", filter);
  form.addEventListener("reset", () => setTimeout(filter));
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("open-all").addEventListener("click", each(true));
  document.getElementById("close-all").addEventListener("click", each(false));
  addEventListener("hashchange", follow);
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (link && link.getAttribute("href") === location.hash) follow();
  });
  filter();
  // The browser goes to the place itself when all is loaded, and would take the focus along.
  addEventListener("load", () => setTimeout(follow));
})();
