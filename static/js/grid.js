/* The price grid on the keyboard: arrows and Enter move, Ctrl+Z takes back, a block from a spreadsheet is pasted.
   Saving is htmx's; without this file the grid is a form. */
"use strict";
(() => {
  const cellOf = (target) => (target instanceof Element ? target.closest("[data-grid-cell]") : null);

  const rows = (cell) =>
    [...cell.closest("tbody").rows].map((row) => [...row.cells].slice(1).map((place) => place.querySelector("input")));

  const placeOf = (cell) => {
    const found = rows(cell);
    const row = found.findIndex((cells) => cells.includes(cell));
    return { found, row, column: found[row].indexOf(cell) };
  };

  const move = (cell, down, forward) => {
    let { found, row, column } = placeOf(cell);
    do {
      row += down;
      column += forward;
    } while (found[row] && column >= 0 && column < found[row].length && !found[row][column]);
    const next = found[row]?.[column];
    if (!next) return false;
    next.focus();
    next.select();
    return true;
  };

  const isWhole = (cell) => cell.selectionStart === 0 && cell.selectionEnd === cell.value.length;

  document.addEventListener("keydown", (event) => {
    const cell = cellOf(event.target);
    if (!cell || event.isComposing || event.altKey) return;
    const isPlain = !event.ctrlKey && !event.metaKey;
    const forward = getComputedStyle(cell.closest("table")).direction === "rtl" ? -1 : 1;
    let isDone = false;
    if (event.key === "Enter" && isPlain) {
      isDone = true;
      if (!move(cell, event.shiftKey ? -1 : 1, 0)) cell.blur();
    } else if (event.key === "ArrowDown" && isPlain) isDone = move(cell, 1, 0);
    else if (event.key === "ArrowUp" && isPlain) isDone = move(cell, -1, 0);
    else if (event.key === "ArrowRight" && isPlain && isWhole(cell)) isDone = move(cell, 0, forward);
    else if (event.key === "ArrowLeft" && isPlain && isWhole(cell)) isDone = move(cell, 0, -forward);
    else if (event.key === "Escape" && cell.value !== cell.defaultValue) {
      cell.value = cell.defaultValue;
      cell.select();
      isDone = true;
    } else if (event.code === "KeyZ" && !isPlain && !event.shiftKey && cell.value === cell.defaultValue) {
      document.querySelector("[data-grid-undo]")?.click();
      isDone = true;
    }
    if (isDone) event.preventDefault();
  });

  document.addEventListener("focusin", (event) => cellOf(event.target)?.select());

  document.addEventListener("paste", (event) => {
    const cell = cellOf(event.target);
    const text = event.clipboardData?.getData("text/plain").replace(/\r/g, "").replace(/\n$/, "") ?? "";
    if (!cell || !/[\t\n]/.test(text)) return;
    event.preventDefault();
    const { found, row, column } = placeOf(cell);
    const values = {};
    text.split("\n").forEach((line, down) =>
      line.split("\t").forEach((value, forward) => {
        const place = found[row + down]?.[column + forward];
        if (place) values[place.name] = value.trim();
      }),
    );
    htmx.ajax("POST", cell.closest("[data-grid]").dataset.grid, { values, target: "#grid", swap: "outerHTML" });
  });

  /* The cell one was in is there again after the grid was swapped. */
  let last = "";
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id === "grid") last = cellOf(document.activeElement)?.id ?? "";
  });
  document.addEventListener("htmx:afterSettle", () => {
    if (last) document.getElementById(last)?.focus();
    last = "";
  });
})();
