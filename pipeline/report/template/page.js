"use strict";
(() => {
  const page = document.documentElement;
  const data = JSON.parse(document.getElementById("page-data").textContent);
  const atOnce = 20;
  let limit = atOnce;
  let language = "en";

  const find = (id) => document.getElementById(id);
  const say = (key, values = {}) =>
    data.messages[language][key].replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
  const count = (number) => number.toLocaleString("en-US");

  // An element with text in it, never markup: what models wrote is shown as it is.
  function make(name, className, text) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  // One chart at a time, so that the page answers from the start; those of another language give way. Before printing
  // there is no time to give: without pauses, all are drawn when the event ends.
  async function drawCharts(pauses) {
    const own = language;
    for (const place of document.querySelectorAll(".plot")) {
      if (pauses) await new Promise((next) => setTimeout(next));
      if (own !== language) return;
      if (place.dataset.drawn === own) continue;
      const chart = data.charts.find((chart) => chart.name === place.dataset.chart);
      const spec = { ...chart.specs[own], data: { values: chart.points } };
      // The expressions are interpreted, because the page's policy forbids making scripts of text.
      await vegaEmbed(place, spec, { actions: false, renderer: "svg", ast: true, defaultStyle: false });
      // Screen readers are told the chart's name, in the page's language, and read its table.
      place.querySelector("svg").setAttribute("aria-hidden", "true");
      place.dataset.drawn = own;
    }
  }

  function useLanguage(chosen) {
    language = chosen;
    page.dataset.language = chosen;
    page.lang = chosen === "zh" ? "zh-Hans" : "en";
    const suffix = chosen === "zh" ? "Zh" : "En";
    for (const element of document.querySelectorAll("[data-text-en]")) {
      element.textContent = element.dataset[`text${suffix}`];
    }
    for (const element of document.querySelectorAll("[data-aria-label-en]")) {
      element.setAttribute("aria-label", element.dataset[`ariaLabel${suffix}`]);
    }
    showCards();
    drawCharts(true);
  }

  function showDifference(pieces) {
    const shown = make("p", "text");
    shown.dir = "auto";
    for (const [kind, text] of pieces) {
      shown.append(kind === "=" ? text : make(kind === "+" ? "ins" : "del", "", text));
    }
    if (!pieces.length) shown.append(make("span", "empty", say("empty")));
    return shown;
  }

  function showText(text) {
    const shown = make("p", "text", text || undefined);
    shown.dir = "auto";
    if (!text) shown.append(make("span", "empty", say("empty")));
    return shown;
  }

  // What a model thought, which stays folded until it is asked for.
  function fold(name, text) {
    const folded = make("details", "thinking");
    folded.append(make("summary", "", name), showText(text));
    return folded;
  }

  function addEntry(list, name, ...shown) {
    const description = make("dd");
    description.append(...shown);
    list.append(make("dt", "", name), description);
  }

  function roleName(role) {
    return data.messages[language][`role.${role}`] ?? role;
  }

  function modelName(model) {
    return data.messages[language][`model.${model}`] ?? model;
  }

  // The thinking of each model, and which of them did not end with a final.
  function showEnds(card) {
    const thinking = Object.entries(card.thinking);
    const ends = Object.entries(card.ends);
    return [
      ...thinking.map(([model, text]) => fold(say("thinking_of", { model: modelName(model) }), text)),
      ...ends.map(([model, finish]) => make("p", "end", say(`finish.${finish}`, { model: modelName(model) }))),
    ];
  }

  function showCard(card) {
    const shown = make("article", "card");
    const head = make("header");
    const title = make("h3", "", card.id);
    head.append(title);
    if (card.tag) head.append(make("span", "tag", card.tag));
    const kinds = { better: "good", worse: "bad" };
    if (card.change !== null) head.append(make("span", `change ${kinds[card.kind] ?? ""}`, card.shown));
    const scores = card.scores.map(([name, first, last]) => `${name} ${first} → ${last}`).join(" · ");
    if (scores) head.append(make("span", "scores", scores));
    shown.append(head);

    const list = make("dl");
    const turns = card.prompt.filter(([role]) => role !== "system");
    for (const [role, text, thinking] of turns) {
      addEntry(list, roleName(role), ...(thinking ? [fold(say("thinking"), thinking)] : []), showText(text));
    }
    addEntry(list, say("answer"), ...showEnds(card), showDifference(card.diff));
    shown.append(list);

    const more = make("details");
    more.append(make("summary", "", say("details")));
    const rest = make("dl");
    for (const [role, text] of card.prompt) if (role === "system") addEntry(rest, roleName(role), showText(text));
    for (const [model, text] of Object.entries(card.between)) addEntry(rest, modelName(model), showText(text));
    for (const side of ["chosen", "rejected"]) {
      const thinking = card.references[side];
      addEntry(rest, say(side), ...(thinking ? [fold(say("thinking"), thinking)] : []), showText(card[side]));
    }
    more.append(rest);
    shown.append(more);
    return shown;
  }

  function searched(card) {
    if (card.searched === undefined) {
      const texts = [card.id, card.tag, card.chosen, card.rejected, ...card.prompt.flatMap((turn) => turn.slice(1))];
      texts.push(...Object.values(card.thinking), ...Object.values(card.references));
      const sides = ["-", "+"].map((side) =>
        card.diff.filter(([kind]) => kind === "=" || kind === side).map((piece) => piece[1]).join(""),
      );
      card.searched = [...texts, ...sides, ...Object.values(card.between)].join("\n").toLowerCase();
    }
    return card.searched;
  }

  function showCards() {
    const place = find("cards");
    if (!place) return;
    const words = find("search").value.trim().toLowerCase();
    const kind = find("kind").value;
    const tag = find("tag")?.value ?? "";
    const matching = data.cards.filter(
      (card) => (!kind || card.kind === kind) && (!tag || card.tag === tag) && (!words || searched(card).includes(words)),
    );
    place.replaceChildren(...matching.slice(0, limit).map(showCard));
    const shown = Math.min(limit, matching.length);
    const status = say("count", { shown: count(shown), matching: count(matching.length), all: count(data.cards.length) });
    if (find("count").textContent !== status) find("count").textContent = status;
    find("more").hidden = shown === matching.length;
    find("more").textContent = say("more", { number: count(Math.min(atOnce, matching.length - shown)) });
  }

  function showFromTheStart() {
    limit = atOnce;
    showCards();
  }

  if (find("cards")) {
    find("filter").addEventListener("submit", (event) => event.preventDefault());
    for (const [id, event] of [["search", "input"], ["kind", "change"], ["tag", "change"]]) {
      find(id)?.addEventListener(event, showFromTheStart);
    }
    find("more").addEventListener("click", () => {
      const first = limit;
      limit += atOnce;
      showCards();
      const next = find("cards").children[first]?.querySelector("summary");
      next?.focus();
    });
  }
  addEventListener("beforeprint", () => drawCharts(false));
  find("language").addEventListener("click", () => useLanguage(language === "en" ? "zh" : "en"));
  useLanguage((navigator.language || "en").toLowerCase().startsWith("zh") ? "zh" : "en");
})();
