/* Behaviour of the panel, found by data-attributes. Every page also works without this file. */
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");

  const on = (type, selector, act, options) =>
    document.addEventListener(
      type,
      (event) => {
        const found = event.target instanceof Element && event.target.closest(selector);
        if (found) act(event, found);
      },
      options,
    );

  /* Light or dark: the choice is a cookie, so that the server writes it into the next page. */
  const isDark = () =>
    root.dataset.bsTheme ? root.dataset.bsTheme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;

  on("click", "[data-theme-toggle]", () => {
    root.dataset.bsTheme = isDark() ? "light" : "dark";
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `theme=${root.dataset.bsTheme}; path=/; max-age=31536000; samesite=lax${secure}`;
  });

  /* The menu on a phone, and the little menu of the account. */
  const setMenu = (isOpen) => {
    document.body.classList.toggle("menu-open", isOpen);
    document.querySelector("[data-menu-open]")?.setAttribute("aria-expanded", String(isOpen));
    document.querySelector(isOpen ? "[data-menu-close]" : "[data-menu-open]")?.focus();
  };
  on("click", "[data-menu-open]", (event) => {
    event.preventDefault();
    setMenu(true);
  });
  on("click", "[data-menu-close]", (event) => {
    event.preventDefault();
    setMenu(false);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    if (document.body.classList.contains("menu-open")) setMenu(false);
    closeDrops(null);
  });
  const closeDrops = (kept) => {
    for (const drop of document.querySelectorAll("details.drop[open]")) if (drop !== kept) drop.open = false;
  };
  document.addEventListener("click", (event) => closeDrops(event.target.closest?.("details.drop") ?? null));

  /* Dialogs. */
  on("click", "[data-dialog]", (event, opener) => {
    const dialog = document.getElementById(opener.dataset.dialog);
    if (!dialog) return;
    event.preventDefault();
    dialog.showModal();
  });
  on("click", "[data-dialog-close]", (event, closer) => {
    event.preventDefault();
    closer.closest("dialog").close();
  });
  on("click", "dialog", (event, dialog) => {
    if (event.target === dialog) dialog.close(); // the shade around it
  });

  /* "Are you sure?" before a form with data-confirm is sent. */
  const sure = new WeakSet();
  document.addEventListener(
    "submit",
    (event) => {
      const form = event.target;
      const sentence = event.submitter?.dataset.confirm ?? form.dataset.confirm;
      const dialog = document.getElementById("confirm");
      if (!sentence || !dialog || sure.has(form)) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      dialog.querySelector("#confirm-text").textContent = sentence;
      dialog.querySelector("[data-confirm-yes]").onclick = () => {
        dialog.close();
        sure.add(form);
        form.requestSubmit(event.submitter);
        sure.delete(form);
      };
      dialog.showModal();
    },
    true,
  );

  /* A form is posted once; its button rests until the answer is there. */
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post" || form.closest("[hx-post]")) return;
    form.setAttribute("aria-busy", "true");
    setTimeout(() => form.querySelectorAll("button[type=submit]").forEach((button) => (button.disabled = true)));
  });
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    for (const form of document.querySelectorAll("form[aria-busy]")) {
      form.removeAttribute("aria-busy");
      form.querySelectorAll("button[type=submit]").forEach((button) => (button.disabled = false));
    }
  });

  on("change", "[data-autosubmit]", (_event, field) => field.form.requestSubmit());

  on("click", "[data-copy]", async (_event, button) => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.classList.add("is-done");
    setTimeout(() => button.classList.remove("is-done"), 1500);
  });

  /* Files: the native field takes the drop, this shows what it got. */
  for (const [type, isOver] of [["dragover", true], ["dragleave", false], ["drop", false]])
    on(type, "[data-drop]", (_event, zone) => zone.classList.toggle("is-over", isOver));
  const size = new Intl.NumberFormat(root.lang, { maximumFractionDigits: 1 });
  on("change", "[data-drop] input[type=file]", (_event, field) => {
    const name = field.closest("[data-drop]").querySelector("[data-drop-name]");
    name.textContent = [...field.files].map((file) => `${file.name} · ${size.format(file.size / 1024)} KB`).join("\n");
    name.hidden = !field.files.length;
  });

  /* Parts of a text, counted as sms/core/parts.py counts them. */
  const GSM_BASIC =
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡" +
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
  const GSM_UNITS = new Map([...[...GSM_BASIC].map((c) => [c, 1]), ...[..."\f^{}\\[~]|€"].map((c) => [c, 2])]);

  const measure = (text, joinedUcs2) => {
    const characters = [...text];
    const isGsm = characters.every((character) => GSM_UNITS.has(character));
    const widths = characters.map((character) => (isGsm ? GSM_UNITS.get(character) : character.length));
    const units = widths.reduce((sum, width) => sum + width, 0);
    const single = isGsm ? 160 : 70;
    if (units <= single) return { isGsm, units, parts: units ? 1 : 0, left: single - units };
    const joined = joinedUcs2 === 66 ? (isGsm ? 152 : 66) : isGsm ? 153 : 67;
    let parts = 1;
    let used = 0;
    for (const width of widths) {
      if (used + width > joined) {
        parts += 1;
        used = 0;
      }
      used += width;
    }
    return { isGsm, units, parts, left: joined - used };
  };

  /* What a line puts behind a text that does not end so, as sms/core/words.py and sms/lines/rules.py tell. */
  const ALIKE = new Map([..."يىكةۀأإٱ"].map((c, place) => [c, [..."ییکههااا"][place]]));
  [..."۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩"].forEach((c, place) => ALIKE.set(c, String(place % 10)));
  const folded = (text) => {
    let found = "";
    let isParted = false;
    for (const raw of text.normalize("NFKC").toLowerCase()) {
      const letter = ALIKE.get(raw) ?? raw;
      if (letter === "\u0640" || /[\p{Cf}\p{Mn}\p{Me}]/u.test(letter)) continue;
      if (!/[\p{L}\p{N}]/u.test(letter)) {
        isParted = true;
        continue;
      }
      if (isParted && /\d/.test(letter) && /\d$/.test(found)) found += " ";
      found += letter;
      isParted = false;
    }
    return found;
  };
  const ending = (text, suffix) => {
    const wanted = folded(suffix ?? "");
    const said = folded(text);
    if (!wanted || !text) return "";
    const before = said.slice(0, -wanted.length).slice(-1);
    return said.endsWith(wanted) && !(/^\d/.test(wanted) && /\d/.test(before)) ? "" : `\n${suffix}`;
  };

  const number = new Intl.NumberFormat(root.lang);
  const count = (field) => {
    const shown = document.querySelector(`[data-count-of="${CSS.escape(field.id)}"]`);
    if (!shown) return;
    const line = field.form?.querySelector("option[data-joined]:checked, input[data-joined]:checked");
    const { place, placeLength } = field.dataset; // where an address of a fixed length will stand
    const written = place ? field.value.replaceAll(place, "x".repeat(Number(placeLength))) : field.value;
    const text = written + ending(written, line?.dataset.suffix);
    const measured = measure(text, Number((line ?? field).dataset.joined ?? 67));
    for (const place of shown.querySelectorAll("[data-count]"))
      place.textContent = number.format(measured[place.dataset.count]);
    for (const place of shown.querySelectorAll("[data-count-encoding]"))
      place.hidden = !field.value || measured.isGsm !== (place.dataset.countEncoding === "gsm");
    shown.hidden = false;
  };
  const countAll = () => document.querySelectorAll("textarea[data-count-parts]").forEach(count);
  on("input", "textarea[data-count-parts]", (_event, field) => count(field));
  document.addEventListener("change", countAll);

  /* Live blocks rest while nobody looks; what fails is said once. */
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden && event.target.matches(".poll")) event.preventDefault();
  });
  const tell = (sentence) => {
    const notices = document.getElementById("notices");
    if (!notices || !sentence || [...notices.children].some((notice) => notice.textContent === sentence)) return;
    const notice = document.createElement("div");
    notice.className = "notice tone-danger";
    notice.setAttribute("role", "alert");
    notice.textContent = sentence;
    notices.append(notice);
  };
  document.addEventListener("htmx:responseError", (event) => {
    const page = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html");
    const message = page.querySelector("[data-message]");
    tell(message ? [...message.children].map((part) => part.textContent.trim()).join(": ") : document.body.dataset.offline);
  });
  document.addEventListener("htmx:sendError", () => tell(document.body.dataset.offline));
  document.addEventListener("htmx:afterSwap", () => {
    document.querySelectorAll("#notices > .notice[role=alert]:not(:has(svg))").forEach((notice) => notice.remove());
  });
  document.addEventListener("htmx:load", countAll);

  const start = () => {
    countAll();
    const first = document.querySelector("[data-focus]");
    first?.focus({ preventScroll: true });
    first?.scrollIntoView({ block: "center", behavior: "instant" });
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
