"use strict";
(() => {
  const facts = JSON.parse(document.getElementById("hover").textContent);
  const tip = document.getElementById("tip"), canvas = tip.firstElementChild, words = tip.lastElementChild;
  const sheet = document.getElementById("sheet"), reach = 14;
  const figures = [...document.querySelectorAll("figure[data-map]")].map((figure) => {
    const svg = figure.querySelector("svg.map");
    return { svg, ring: svg.querySelector(".ring"), places: facts.maps[figure.dataset.map] };
  });
  canvas.hidden = !sheet;
  if (sheet) { canvas.width = facts.sheet.width; canvas.height = facts.sheet.height; }

  function nearest(figure, event) {
    const box = figure.svg.getBoundingClientRect(), scale = box.width / figure.svg.viewBox.baseVal.width;
    const x = (event.clientX - box.left) / scale, y = (event.clientY - box.top) / scale;
    let best = -1, least = (reach / scale) ** 2;
    figure.places.forEach(([px, py], at) => {
      const distance = (px - x) ** 2 + (py - y) ** 2;
      if (distance < least) { least = distance; best = at; }
    });
    return best;
  }

  function show(at, event) {
    figures.forEach(({ ring, places }) => {
      ring.style.display = "block";
      ring.setAttribute("cx", places[at][0]);
      ring.setAttribute("cy", places[at][1]);
    });
    const lines = [`row ${facts.rows[at]}`];
    if (facts.labels) lines.push(`label ${facts.labels[at]}`);
    lines.push(`error ${facts.errors[at]}`);
    if (facts.texts) lines.push(facts.texts[at]);
    words.textContent = lines.join("\n");
    if (sheet) {
      const { width, height, columns } = facts.sheet, pen = canvas.getContext("2d");
      pen.drawImage(sheet, (at % columns) * width, Math.floor(at / columns) * height, width, height, 0, 0, width, height);
    }
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const left = event.clientX + 16 + box.width > innerWidth ? event.clientX - 16 - box.width : event.clientX + 16;
    const top = Math.min(event.clientY + 12, innerHeight - box.height - 8);
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${Math.max(8, top)}px`;
  }

  function hide() {
    tip.hidden = true;
    figures.forEach(({ ring }) => { ring.style.display = "none"; });
  }

  figures.forEach((figure) => {
    const look = (event) => {
      const at = nearest(figure, event);
      if (at < 0) hide(); else show(at, event);
    };
    figure.svg.addEventListener("pointermove", look);
    figure.svg.addEventListener("pointerdown", look);
    figure.svg.addEventListener("pointerleave", hide);
  });
  addEventListener("scroll", hide, { passive: true });
})();
