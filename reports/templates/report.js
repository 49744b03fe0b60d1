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

  // The address has what is filtered, so that a link shows the same.
  function remember() {
    const asked = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
    if (String(asked)) history.replaceState(null, "", `#${asked}`);
    else if (location.hash.includes("=")) history.replaceState(null, "", "#controls");
  }

  function recall() {
    const asked = new URLSearchParams(location.hash.slice(1));
    form.reset();
    for (const box of form.querySelectorAll("input[name=verdict]"))
      box.checked = asked.getAll("verdict").includes(box.value);
    for (const name of ["words", "chapter", "framework"])
      form.elements[name].value = asked.get(name) ?? "";
    filter();
    document.getElementById("controls").scrollIntoView({ block: "start" });
  }

  function named() {
    try { return decodeURIComponent(location.hash.slice(1)); } catch { return ""; }
  }

  function follow() {
    if (location.hash.includes("=")) { recall(); return; }
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
  const changed = () => { filter(); remember(); };
  form.addEventListener("input", changed);
  // A field that is left changes as well; the address may have another place by then.
  form.addEventListener("change", ({ target }) => { if (target.matches("select")) changed(); });
  form.addEventListener("reset", () => setTimeout(changed));
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("open-all").addEventListener("click", each(true));
  document.getElementById("close-all").addEventListener("click", each(false));
  // Corrections also quote commands that are wrong: those are not offered to be copied.
  for (const command of document.querySelectorAll(".again code")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy: ${command.textContent}`);
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(command.textContent);
      button.textContent = "Copied";
    });
    command.after(button);
  }
  const contents = document.querySelector("nav");
  new IntersectionObserver(([header]) => {
    contents.classList.toggle("below-header", header.isIntersecting);
  }).observe(document.querySelector(".outcome"));
  addEventListener("hashchange", follow);
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (link && link.getAttribute("href") === location.hash) follow();
  });
  filter();
  // The browser goes to the place itself when all is loaded, and would take the focus along.
  addEventListener("load", () => setTimeout(follow));
})();
