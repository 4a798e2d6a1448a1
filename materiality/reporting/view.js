"use strict";
// The live matrix on the page: controls, picture, panel, table. Numbers come from live.js, label places from labels.js.
(() => {
  const data = JSON.parse(document.getElementById("live-data").textContent), words = data.words;
  const byId = (id) => document.getElementById(`live-${id}`);
  const SVG = "http://www.w3.org/2000/svg", RADIUS = 5.5, RING = 3, NARROW = 620, DRAWS = 4000, LINE = 14;
  const own = {weights: data.axes.map((axis) => axis.weights.slice()), thresholds: [null, null]};
  const copy = (state) => ({weights: state.weights.map((one) => one.slice()), thresholds: state.thresholds.slice()});
  const base = Live.evaluate(data, own);
  let state = copy(own), view = "", chosen = null, query = "", current = base, sure = null, placed = null;
  let pending = 0, later = 0, told = "", size = null, zones = [], covered = 0;

  const say = (key, values = {}) => words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const signed = (text) => text.replace("-", "−");
  // As the rest of the report rounds: a tie goes to the even digit. Only odd eighths are ties in binary.
  function two(value) {
    const at = Number(value.toPrecision(12)), half = Math.floor(at * 100);
    return signed((Math.abs(at * 8 % 2) === 1 ? (half + Math.abs(half % 2)) / 100 : Number(at.toFixed(2)) + 0).toFixed(2));
  }
  // Text that runs from right to left, or turns others round, is kept apart from the sentence it stands in.
  const apart = (text) => /[\u0590-\u08ff\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufefc]/.test(text) ? `\u2068${text}\u2069` : text;
  const span = (one) => one.bare ? "–" : say("span", {low: two(one.low), high: two(one.high)});
  const percent = (share) => share > 0.99 ? say("over") : share < 0.01 ? say("under") : `${Math.round(share * 100)}${words.percent}`;
  const listed = (names) => names.map(apart).join(names.some((name) => name.includes(",")) ? "; " : words.comma);
  const moved = () => JSON.stringify(state) !== JSON.stringify(own);

  function make(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }
  function draw(tag, attributes = {}, ...children) {
    const node = document.createElementNS(SVG, tag);
    set(node, attributes);
    node.append(...children);
    return node;
  }
  function set(node, attributes) {
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  }
  const name = (text) => make("bdi", {}, text);

  // What is looked at: all groups with the weights chosen, or one group by itself with the thresholds of all.
  function seen() {
    const whole = Live.evaluate(data, state);
    if (view === "") return whole;
    const g = Number(view);
    const weights = state.weights.map((of, place) => asks(place, g) ? of.map((_, h) => h === g ? 1 : 0) : of);
    const axes = weights.map((of, place) => asks(place, g) ? Live.scores(data, place, of, true) : whole.axes[place]);
    const points = data.issues.map((_, i) => {
      const x = axes[0][i], y = axes[1][i];
      return {x, y, tier: null, material: null};
    });
    return {axes, thresholds: whole.thresholds, points};
  }
  const asks = (place, g) => data.axes[place].weights[g] > 0 && data.axes[place].mean.some((row) => row[g] !== null);

  const pillar = (issue) => data.issues[issue].pillar || "none";
  function shape(kind, r) {
    if (kind === "social") return `M${-r * 0.9},${-r * 0.9}h${r * 1.8}v${r * 1.8}h${-r * 1.8}z`;
    if (kind === "governance") return `M0,${-r * 1.2}L${r * 1.2},0L0,${r * 1.2}L${-r * 1.2},0z`;
    if (kind === "economic") return `M0,${-r * 1.2}L${r * 1.1},${r * 0.9}H${-r * 1.1}z`;
    return `M${-r},0a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0z`;
  }

  // ---- the picture, built once and moved from then on
  const svg = byId("svg"), layers = {};
  for (const layer of ["zones", "ticks", "axis", "lines", "ellipses", "bars", "leaders", "labels", "dots"]) {
    layers[layer] = draw("g", {class: layer, ...(layer === "dots" ? {} : {"aria-hidden": "true"})});
    svg.append(layers[layer]);
  }
  const clip = draw("rect");
  svg.prepend(draw("defs", {}, draw("clipPath", {id: "live-clip"}, clip)));
  for (const layer of ["ellipses", "bars"]) layers[layer].setAttribute("clip-path", "url(#live-clip)");
  const marks = data.issues.map((issue, i) => {
    const mark = {
      ellipse: draw("ellipse", {class: `ellipse ${pillar(i)}`}),
      bar: draw("path", {class: `bar ${pillar(i)}`}),
      leader: draw("line", {class: "leader"}),
      label: draw("text", {class: "label"}),
      dot: draw("g", {class: `dot ${pillar(i)}`, role: "button", tabindex: "-1", "aria-pressed": "false"}),
      shape: draw("path", {class: "shape"}),
      ring: draw("circle", {class: "ring", r: RADIUS + 3.5}),
    };
    mark.dot.append(draw("circle", {class: "hit", r: 12}), mark.shape, mark.ring);
    for (const layer of ["ellipse", "bar", "leader", "label", "dot"]) layers[`${layer}s`].append(mark[layer]);
    for (const node of [mark.dot, mark.label]) node.addEventListener("click", () => choose(i));
    mark.dot.addEventListener("focus", () => rove(i));
    return mark;
  });
  const measure = document.createElement("canvas").getContext("2d");
  const font = getComputedStyle(svg).fontFamily;
  function width(text, weight = 600) {
    measure.font = `${weight} 12px ${font}`;
    return measure.measureText(text).width;
  }
  function wrap(text) {
    const wide = /[\u2e80-\uffff]/.test(text), most = 150, lines = [""];
    for (const piece of wide ? Array.from(text) : text.split(/\s+/)) {
      const tried = lines[lines.length - 1] + (wide || !lines[lines.length - 1] ? "" : " ") + piece;
      if (width(tried) <= most || !lines[lines.length - 1]) lines[lines.length - 1] = tried;
      else lines.push(piece);
    }
    const kept = lines.slice(0, 3).map((line) => {
      let cut = line;
      while (width(cut) > most + 10 && cut.length > 1) cut = cut.slice(0, -1);
      return cut === line ? line : `${cut.slice(0, -1)}…`;
    });
    if (lines.length > 3 && !kept[2].endsWith("…")) kept[2] = `${kept[2].slice(0, 22)}…`;
    return kept;
  }
  const wrapped = data.issues.map((issue) => wrap(issue.name));
  const rank = base.points.map((point, i) => [point, i]).sort(([a, i], [b, j]) => {
    if (!a.x || !a.y || !b.x || !b.y) return (!a.x || !a.y) - (!b.x || !b.y) || i - j;
    return a.tier - b.tier || b.x.value + b.y.value - a.x.value - a.y.value || i - j;
  }).map(([, i]) => i);
  const number = data.issues.map((_, i) => rank.indexOf(i) + 1);
  let named = null;
  function writeLabels(names) {
    if (named === names) return;
    named = names;
    placed = null;
    marks.forEach((mark, i) => {
      const lines = names ? wrapped[i] : [String(number[i])];
      mark.size = [Math.max(...lines.map((line) => width(line))) + 3, lines.length * LINE + 1];
      mark.label.replaceChildren(...lines.map((line) => draw("tspan", {}, line)));
    });
  }

  function limits(points) {
    // Fixed by the study's own scores, wider where those looked at lie outside.
    return [0, 1].map((place) => {
      const key = place ? "y" : "x", lows = [], highs = [];
      for (const point of [...base.points, ...points]) if (point.x && point.y) { lows.push(point[key].low); highs.push(point[key].high); }
      if (!lows.length) return [data.low, data.high];
      const low = Math.min(...lows), high = Math.max(...highs), margin = 0.06 * Math.max(high - low, 0.04 * (data.high - data.low));
      return [low - margin, high + margin];
    });
  }
  function ticks([low, high]) {
    const rough = (high - low) / 6, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((k) => k * power).find((k) => k >= rough), found = [];
    for (let k = Math.ceil(low / step); k * step <= high; k++) found.push(k * step);
    return {at: found, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9))};
  }

  function resize() {
    const plot = Math.max(svg.parentElement.clientWidth, 240), narrow = plot < NARROW;
    const height = narrow ? Math.max(Math.round(plot * 1.05), 300) : Math.min(Math.round(plot * 0.74), 1100);
    size = {width: plot, height, left: 50, right: plot - 8, top: 8, bottom: height - 46, narrow};
    svg.setAttribute("viewBox", `0 0 ${plot} ${height}`);
    placed = null;
  }

  function picture() {
    const {points, thresholds} = current, [across, up] = limits(points);
    const px = (x) => size.left + (x - across[0]) / (across[1] - across[0]) * (size.right - size.left);
    const py = (y) => size.bottom - (y - up[0]) / (up[1] - up[0]) * (size.bottom - size.top);
    scenery(across, up, px, py, thresholds);
    const shown = points.map((point) => Boolean(point.x && point.y));
    const dots = points.map((point, i) => shown[i] ? [px(point.x.value), py(point.y.value)] : [NaN, NaN]);
    const radii = rings(dots);
    covered = radii.filter((r) => r > RADIUS).length;
    const segments = lines(px, py, thresholds);
    points.forEach((point, i) => {
      const mark = marks[i], on = shown[i];
      mark.dot.setAttribute("display", on ? "inline" : "none");
      if (!on) {
        for (const node of [mark.bar, mark.ellipse]) node.setAttribute("display", "none");
        return;
      }
      const [x, y] = dots[i];
      set(mark.dot, {transform: `translate(${x.toFixed(2)},${y.toFixed(2)})`});
      set(mark.shape, {d: shape(pillar(i), radii[i])});
      set(mark.ring, {r: radii[i] + 3.5});
      const bars = byId("bars").checked;
      mark.bar.setAttribute("display", bars ? "inline" : "none");
      if (bars) {
        const ends = [px(point.x.low), px(point.x.high), py(point.y.low), py(point.y.high)];
        set(mark.bar, {d: `M${ends[0].toFixed(2)},${y.toFixed(2)}H${ends[1].toFixed(2)}M${x.toFixed(2)},${ends[2].toFixed(2)}V${ends[3].toFixed(2)}`});
        segments.push([ends[0], y, ends[1], y], [x, ends[2], x, ends[3]]);
      }
      const region = byId("ellipses").checked && view === "" ? Live.ellipse(data, i, point.x, point.y) : null;
      mark.ellipse.setAttribute("display", region ? "inline" : "none");
      if (region) ellipse(mark.ellipse, region, x, y, px(1) - px(0), py(0) - py(1));
    });
    labels(dots, radii, segments);
    // the largest first, so that what lies over it can be seen; not while one has the focus, which moving would take
    const order = radii.map((r, i) => [r, i]).sort(([a, i], [b, j]) => b - a || i - j).map(([, i]) => marks[i].dot);
    const now = Array.from(layers.dots.children);
    if (order.some((node, k) => node !== now[k]) && !layers.dots.contains(document.activeElement)) layers.dots.append(...order);
  }

  // In pixels the two axes differ, so the ellipse is turned and stretched by the matrix of both.
  function ellipse(node, region, x, y, across, up) {
    const c = Math.cos(region.angle), s = Math.sin(region.angle);
    set(node, {rx: region.major, ry: region.minor, "vector-effect": "non-scaling-stroke",
      transform: `matrix(${across * c},${-up * s},${-across * s},${-up * c},${x},${y})`});
  }

  // A dot that others would cover is drawn as a ring around them.
  function rings(dots) {
    const radii = [];
    dots.forEach(([x, y], i) => {
      let r = RADIUS;
      for (let k = 0; k < i; k++) if (Math.hypot(dots[k][0] - x, dots[k][1] - y) < 1.7 * RADIUS) r = Math.max(r, radii[k] + RING);
      radii.push(r);
    });
    return radii;
  }

  function lines(px, py, thresholds) {
    const [x, y] = [px(thresholds[0]), py(thresholds[1])], found = [];
    if (x > size.left && x < size.right) found.push([x, size.top, x, size.bottom]);
    if (y > size.top && y < size.bottom) found.push([size.left, y, size.right, y]);
    return found;
  }

  let obstacles = [];
  function scenery(across, up, px, py, thresholds) {
    const {left, right, top, bottom} = size, clamp = (v, a, b) => Math.min(Math.max(v, a), b);
    const x = clamp(px(thresholds[0]), left, right), y = clamp(py(thresholds[1]), top, bottom);
    const zones = [["zone1", x, top, right, y, 1, "end", "top"], ["zone2", left, top, x, y, 2, "start", "top"],
      ["zone2", x, y, right, bottom, 2, "end", "bottom"], ["zone3", left, y, x, bottom, 3, "start", "bottom"]];
    layers.zones.replaceChildren();
    obstacles = [];
    for (const [kind, x0, y0, x1, y1, tier, anchor, edge] of zones) {
      if (data.clusters) continue;
      layers.zones.append(draw("rect", {class: kind, x: x0, y: y0, width: Math.max(x1 - x0, 0), height: Math.max(y1 - y0, 0)}));
      if (x1 - x0 < 70 || y1 - y0 < 30) continue;
      const at = [anchor === "end" ? x1 - 7 : x0 + 7, edge === "top" ? y0 + 15 : y1 - 7], wide = width(say("tier", {tier}), 400);
      layers.zones.append(draw("text", {class: "zone-name", x: at[0], y: at[1], "text-anchor": anchor}, say("tier", {tier})));
      obstacles.push([anchor === "end" ? at[0] - wide : at[0], at[1] - 12, anchor === "end" ? at[0] : at[0] + wide, at[1] + 4]);
    }
    layers.lines.replaceChildren(...lines(px, py, thresholds).map(([x0, y0, x1, y1]) => draw("line", {class: "line", x1: x0, y1: y0, x2: x1, y2: y1})));
    const key = [across, up, size.width, size.height].join();
    if (scenery.key === key) return;
    scenery.key = key;
    placed = null;
    const inside = {x: left, y: top, width: right - left, height: bottom - top};
    set(clip, inside);
    layers.ticks.replaceChildren();
    layers.axis.replaceChildren(draw("rect", {class: "frame", ...inside}));
    const text = (value, attributes) => layers.axis.append(draw("text", attributes, value));
    const xs = ticks(across), ys = ticks(up);
    for (const at of xs.at) {
      layers.ticks.append(draw("line", {class: "tick", x1: px(at), x2: px(at), y1: top, y2: bottom}));
      text(signed(at.toFixed(xs.digits)), {x: px(at), y: bottom + 15, "text-anchor": "middle"});
    }
    for (const at of ys.at) {
      layers.ticks.append(draw("line", {class: "tick", x1: left, x2: right, y1: py(at), y2: py(at)}));
      text(signed(at.toFixed(ys.digits)), {x: left - 6, y: py(at) + 4, "text-anchor": "end"});
    }
    text(fit(data.axes[0].name, right - left), {class: "title", x: (left + right) / 2, y: bottom + 36, "text-anchor": "middle"});
    const middle = (top + bottom) / 2;
    text(fit(data.axes[1].name, bottom - top), {class: "title", x: 13, y: middle, "text-anchor": "middle", transform: `rotate(-90 13 ${middle})`});
  }
  function fit(text, most) {
    let cut = text;
    while (width(cut) * 13 / 12 > most && cut.length > 1) cut = cut.slice(0, -2);
    return cut === text ? text : `${cut}…`;
  }

  function labels(dots, radii, segments) {
    writeLabels(byId("names").checked && !size.narrow);
    placed = placeLabels(dots, marks.map((mark) => mark.size), {radius: radii.map((r) => r * 1.2 + 1), segments, obstacles, previous: placed,
      bounds: [size.left + 2, size.top + 2, size.right - 2, size.bottom - 2]});
    placed.forEach((place, i) => {
      const mark = marks[i], on = Number.isFinite(dots[i][0]) && place.shown;
      mark.label.setAttribute("display", on ? "inline" : "none");
      mark.leader.setAttribute("display", on && place.leader ? "inline" : "none");
      if (!on) return;
      const middle = place.x + mark.size[0] / 2;
      Array.from(mark.label.children).forEach((line, k) => set(line, {x: middle.toFixed(1), y: (place.y + LINE * (k + 1) - 3).toFixed(1)}));
      mark.label.setAttribute("text-anchor", "middle");
      if (place.leader) {
        const [x1, y1, x2, y2] = place.leader.map((v) => v.toFixed(1));
        set(mark.leader, {x1, y1, x2, y2});
      }
    });
  }

  function looks() {
    const open = view === "" ? zones : [], match = found();
    marks.forEach((mark, i) => {
      mark.dot.classList.toggle("open", open[i] === "borderline");
      for (const node of [mark.dot, mark.label, mark.bar, mark.ellipse, mark.leader]) node.classList.toggle("dim", match !== null && !match.has(i));
      mark.label.classList.toggle("chosen", chosen === i);
      mark.dot.setAttribute("aria-pressed", String(chosen === i));
      const point = current.points[i];
      if (point.x && point.y) {
        const tier = !data.clusters ? point.tier : moved() || view !== "" ? null : data.run.tier[i];
        mark.dot.setAttribute("aria-label", say(tier === null ? "spoken" : "spoken_tier", {number: number[i], issue: apart(data.issues[i].name),
          x: two(point.x.value), y: two(point.y.value), across: apart(data.axes[0].name), up: apart(data.axes[1].name), tier}));
      }
    });
    byId("moved").hidden = !moved();
    byId("moved").textContent = words.moved;
    byId("reset").disabled = !moved() && view === "" && chosen === null && query === "";
    const missing = data.issues.filter((_, i) => !current.points[i].x || !current.points[i].y).map((issue) => issue.name);
    byId("note").replaceChildren([
      zones.length || view !== "" ? "" : words.unknown,
      view === "" ? "" : say("one_view", {group: apart(data.groups[Number(view)].name)}) + [0, 1].filter((place) => !asks(place, Number(view))).map((place) => ` ${say("not_asked", {axis: apart(data.axes[place].name)})}`).join(""),
      covered ? say(covered === 1 ? "rings_one" : "rings", {count: covered}) : "",
      missing.length ? say("not_shown", {issues: listed(missing)}) : "",
      size.narrow || !byId("names").checked ? words.numbered : "",
    ].filter(Boolean).join(" "));
  }

  // ---- search
  function found() {
    const text = query.trim().toLocaleLowerCase();
    if (!text) return null;
    return new Set(data.issues.map((issue, i) => [issue, i]).filter(([issue, i]) => issue.name.toLocaleLowerCase().includes(text)
      || issue.id.toLocaleLowerCase().includes(text) || String(number[i]) === text).map(([, i]) => i));
  }

  // ---- choosing an issue, by mouse or keyboard
  function rove(i) {
    marks.forEach((mark, k) => mark.dot.setAttribute("tabindex", k === i ? "0" : "-1"));
  }
  function choose(i) {
    chosen = chosen === i ? null : i;
    if (chosen !== null) rove(chosen);
    panel();
    looks();
    told = chosen === null ? "" : marks[chosen].dot.getAttribute("aria-label");
    byId("status").textContent = told;
  }
  layers.dots.addEventListener("keydown", (event) => {
    const at = marks.findIndex((mark) => mark.dot === document.activeElement);
    if (at < 0) return;
    const by = {ArrowRight: ["x", 1], ArrowLeft: ["x", -1], ArrowUp: ["y", 1], ArrowDown: ["y", -1]}[event.key];
    const live = marks.map((_, i) => i).filter((i) => current.points[i].x && current.points[i].y);
    let to = null;
    if (by) {
      const order = live.slice().sort((a, b) => current.points[a][by[0]].value - current.points[b][by[0]].value || a - b);
      to = order[Math.min(Math.max(order.indexOf(at) + by[1], 0), order.length - 1)];
    } else if (event.key === "Home" || event.key === "End") to = event.key === "Home" ? rank.find((i) => live.includes(i)) : rank.filter((i) => live.includes(i)).pop();
    else if (event.key === "Enter" || event.key === " ") choose(at);
    else if (event.key === "Escape") { if (chosen !== null) choose(chosen); }
    else return;
    event.preventDefault();
    if (to !== null && to !== undefined) marks[to].dot.focus();
  });

  function place(axis, issue) {
    const known = current.axes[axis].map((one, i) => [one, i]).filter(([one]) => one);
    return [known.filter(([one]) => one.value > current.axes[axis][issue].value + 1e-9).length + 1, known.length];
  }
  function panel() {
    const aside = byId("panel");
    if (chosen === null) {
      aside.replaceChildren(make("p", {class: "note"}, words.choose));
      return;
    }
    const issue = data.issues[chosen], point = current.points[chosen], rows = [];
    const row = (term, ...texts) => rows.push(make("dt", {}, term), ...texts.map((text) => make("dd", {}, text)));
    if (issue.pillar) row(words.pillar, words[issue.pillar]);
    [1, 0].forEach((axis) => {
      const one = current.axes[axis][chosen], term = name(data.axes[axis].name);
      if (!one) return row(term, words.none);
      const [r, of] = place(axis, chosen), off = one.value - current.thresholds[axis];
      row(term, say("score", {value: two(one.value), span: span(one)}), say("ranked", {rank: r, of}),
        Number.isNaN(off) ? "" : Math.abs(off) < 0.005 ? words.on_threshold : say(off > 0 ? "above" : "below", {points: two(Math.abs(off))}));
      if (one.unreliable) rows.push(make("dd", {}, words.unreliable));
    });
    if (point.tier !== null) {
      const confidence = sure && sure.tier[chosen] !== null ? percent(sure.tier[chosen]) : null;
      if (!data.clusters) row(words.tier_word, confidence === null ? String(point.tier) : say(sure.drawn && !/^\D/.test(confidence) ? "tier_about" : "tier_sure", {tier: point.tier, confidence}));
      else if (!moved()) row(words.tier_word, data.run.tier[chosen] === null ? words.no_tier : say("tier_sure", {tier: data.run.tier[chosen], confidence: percent(data.run.confidence[chosen])}));
      row(words.material_word, point.material ? words.material : words.not_material);
      if (sure && sure.zone[chosen] === "borderline") rows.push(make("dd", {}, words.borderline));
    }
    const title = make("h3", {}, name(`${number[chosen]}. ${issue.name}`)), groups = [];
    data.groups.forEach((group, g) => {
      const cells = [0, 1].map((axis) => {
        const of = data.axes[axis];
        if (!(of.weights[g] > 0)) return "–";
        if (of.hidden[chosen][g]) return words.hidden;
        if (of.told[chosen][g] !== null) return signed(of.told[chosen][g].toFixed(1));
        return of.mean[chosen][g] === null ? "–" : two(of.mean[chosen][g]);
      });
      if (cells.some((cell) => cell !== "–")) groups.push(make("tr", {}, make("th", {scope: "row"}, group.name), ...cells.map((cell) => make("td", {}, cell))));
    });
    const head = make("tr", {}, make("th", {scope: "col"}, words.group), ...[0, 1].map((axis) => make("th", {scope: "col"}, words[axis ? "up" : "across"])));
    aside.replaceChildren(title, make("dl", {}, ...rows), ...(groups.length ? [make("table", {}, make("caption", {}, words.means), make("thead", {}, head), make("tbody", {}, ...groups))] : []));
  }

  // ---- the table beside the picture
  const cells = [];
  {
    const head = ["#", words.issue, data.axes[0].name, words.interval, data.axes[1].name, words.interval, words.tier_word, words.confidence_word];
    const body = make("tbody");
    rank.forEach((i) => {
      const button = make("button", {type: "button"}, data.issues[i].name), row = [];
      button.addEventListener("click", () => choose(i));
      for (let k = 0; k < 6; k++) row.push(make("td"));
      body.append(make("tr", {}, make("td", {}, String(number[i])), make("th", {scope: "row"}, button), ...row));
      cells[i] = row;
    });
    byId("table").replaceChildren(make("thead", {}, make("tr", {}, ...head.map((text) => make("th", {scope: "col"}, text)))), body);
  }
  function table() {
    current.points.forEach((point, i) => {
      const tier = data.clusters ? (moved() ? null : data.run.tier[i]) : point.tier;
      const texts = [0, 1].flatMap((axis) => { const one = current.axes[axis][i]; return one ? [two(one.value), span(one)] : ["–", "–"]; });
      texts.push(tier === null || view !== "" ? "–" : String(tier));
      texts.push(tier !== null && sure && sure.tier[i] !== null && view === "" ? percent(sure.tier[i]) : "–");
      texts.forEach((text, k) => { if (cells[i][k].textContent !== text) cells[i][k].textContent = text; });
    });
  }

  // ---- sliders
  const sliders = [[], []], lineSliders = [];
  const unit = data.axes.map((axis) => {
    const asked = axis.weights.filter((weight) => weight > 0);
    return asked.reduce((total, weight) => total + weight, 0) / (asked.length || 1);
  });
  function slider(box, term, attributes, act) {
    const id = `live-${attributes.id}`, input = make("input", {...attributes, id, type: "range", autocomplete: "off"}), output = make("output", {for: id});
    box.append(make("div", {class: "live-row"}, make("label", {for: id}, name(term)), input, output));
    input.addEventListener("input", () => { act(Number(input.value)); schedule(); });
    return {input, output};
  }
  function controls() {
    const lines = make("fieldset", {}, make("legend", {}, words.thresholds));
    [0, 1].forEach((axis) => {
      lineSliders[axis] = slider(lines, data.axes[axis].name, {id: `threshold-${axis}`, min: data.low, max: data.high, step: 0.01},
        (value) => {
          const line = Live.evaluate(data, {weights: state.weights, thresholds: [null, null]}).thresholds[axis];
          state.thresholds[axis] = Math.abs(value - line) < 0.005 ? null : value;
        });
    });
    byId("thresholds").append(lines);
    const locked = (axis, g) => axis.hidden.some((row) => row[g]);
    const shared = data.groups.map((_, g) => g).filter((g) => data.axes.every((axis) => axis.weights[g] > 0 && !locked(axis, g)));
    [0, 1].forEach((axis) => {
      if (data.axes[axis].weights.filter((weight) => weight > 0).length < 2) return; // its share is all, whatever it counts for
      const of = data.axes[axis], box = make("fieldset", {}, make("legend", {}, say("weights", {axis: of.name})));
      const most = Math.max(4, 1.5 * Math.max(...of.weights) / unit[axis]);
      of.weights.forEach((weight, g) => {
        if (!(weight > 0)) return;
        sliders[axis][g] = slider(box, data.groups[g].name, {id: `weight-${axis}-${g}`, min: 0, max: most.toFixed(2), step: 0.01}, (value) => {
          weigh(axis, g, value);
          if (shared.includes(g) && byId("together").checked) weigh(1 - axis, g, value);
        });
        if (locked(of, g)) { sliders[axis][g].input.disabled = true; sliders[axis][g].input.setAttribute("aria-describedby", `live-locked-${axis}`); }
      });
      if (of.weights.some((weight, g) => weight > 0 && locked(of, g))) box.append(make("p", {class: "note", id: `live-locked-${axis}`}, words.locked));
      byId("weights").append(box);
    });
    if (shared.length) {
      const tick = make("input", {id: "live-together", type: "checkbox", autocomplete: "off"});
      tick.checked = shared.every((g) => Math.abs(data.axes[0].weights[g] / unit[0] - data.axes[1].weights[g] / unit[1]) < 1e-9);
      byId("weights").before(make("label", {class: "live-check note"}, tick, ` ${words.together}`));
    }
    const choice = byId("view");
    choice.append(make("option", {value: ""}, words.all_groups));
    data.groups.forEach((group, g) => {
      const open = data.views && [0, 1].some((axis) => asks(axis, g) && data.axes[axis].mean.some((row, i) => row[g] !== null && !data.axes[axis].hidden[i][g]));
      if (open) choice.append(make("option", {value: String(g)}, group.name));
    });
    for (const kind of new Set(data.issues.map((_, i) => pillar(i)))) {
      if (kind === "none") continue;
      byId("legend").append(make("li", {}, draw("svg", {viewBox: "-8 -8 16 16", "aria-hidden": "true", class: kind}, draw("path", {d: shape(kind, RADIUS)})), words[kind]));
    }
    byId("legend").append(make("li", {}, draw("svg", {viewBox: "-8 -8 16 16", "aria-hidden": "true"}, draw("circle", {r: 4.5, fill: "none", stroke: "currentColor", "stroke-width": 2})), words.open_dot));
  }
  function weigh(axis, g, value) {
    const first = data.axes[axis].weights[g];
    const same = Math.abs(value - first / unit[axis]) < Math.min(0.005, first / unit[axis] / 2);
    state.weights[axis][g] = same ? first : Number((value * unit[axis]).toPrecision(6));
    if (!state.weights[axis].some((weight) => weight > 0)) state.weights[axis][g] = first;
  }
  function outputs() {
    [0, 1].forEach((axis) => {
      const total = state.weights[axis].reduce((all, weight) => all + weight, 0), line = current.thresholds[axis];
      sliders[axis].forEach(({input, output}, g) => {
        input.value = String(state.weights[axis][g] / unit[axis]);
        output.textContent = `${(100 * state.weights[axis][g] / total).toFixed(0)}${words.percent}`;
        input.setAttribute("aria-valuetext", output.textContent);
      });
      const {input, output} = lineSliders[axis];
      input.value = String(line);
      output.textContent = two(line);
      const rule = state.thresholds[axis] === null ? words[`rule_${data.axes[axis].threshold.rule}`] : words.rule_moved;
      input.setAttribute("aria-valuetext", `${two(line)}, ${rule}`);
      output.title = rule;
    });
    byId("toml").textContent = toml();
  }

  // ---- what to write into the study file for what is seen
  function toml() {
    if (!moved()) return words.unchanged;
    const key = (id) => /^[A-Za-z0-9_-]+$/.test(id) ? id : JSON.stringify(id), parts = [];
    data.axes.forEach((axis, place) => {
      if (state.weights[place].every((weight, g) => weight === axis.weights[g])) return;
      const groups = data.groups.map((group, g) => [key(group.id), state.weights[place][g]]).filter(([, weight]) => weight > 0);
      parts.push(`[axes.${key(axis.id)}]\n${axis.weighting === "given" ? "" : `group_weights = "given"${axis.weighting === "judged" ? `   # ${words.take_out}` : ""}\n`}groups = { ${groups.map(([id, weight]) => `${id} = ${weight}`).join(", ")} }`);
    });
    if (state.thresholds.some((value) => value !== null)) {
      const rule = ({rule, value, count}) => rule === "given" ? String(value) : rule === "top" ? `"top ${count}"` : `"${rule}"`;
      parts.push(`[tiers.thresholds]\n${data.axes.map((axis, place) => `${key(axis.id)} = ${state.thresholds[place] === null ? rule(axis.threshold) : state.thresholds[place]}`).join("\n")}`);
    }
    return parts.join("\n\n");
  }

  // ---- what changed, in words, for eyes and screen readers
  function status() {
    const match = found();
    let text;
    const some = match && listed([...match].slice(0, 5).map((i) => data.issues[i].name));
    const search = match && say(["found_none", "found_one"][match.size] || (match.size > 5 ? "found_many" : "found"), {count: match.size, issues: some});
    if (view !== "") text = say("one_view", {group: apart(data.groups[Number(view)].name)});
    else if (data.clusters) text = moved() ? words.clusters : "";
    else {
      const first = current.points.filter((point) => point.tier === 1).length, up = [], down = [];
      current.points.forEach((point, i) => {
        if (point.tier === null || base.points[i].tier === null) return;
        if (point.tier < base.points[i].tier) up.push(data.issues[i].name);
        if (point.tier > base.points[i].tier) down.push(data.issues[i].name);
      });
      text = [say(first === 1 ? "status_one" : "status", {count: first}), up.length ? say("higher", {issues: listed(up)}) : "", down.length ? say("lower", {issues: listed(down)}) : "",
        moved() && !up.length && !down.length ? words.same : ""].filter(Boolean).join(" ");
    }
    if (search) text = [search, text].filter(Boolean).join(" ");
    if (text !== told) { told = text; byId("status").textContent = text; }
  }

  function surely() {
    if (!moved()) sure = {tier: data.run.confidence, zone: data.run.zone, drawn: false};
    else {
      const whole = view === "" ? current : Live.evaluate(data, state), drawn = data.clusters ? null : Live.confidence(data, state, whole, DRAWS);
      sure = drawn && {...drawn, drawn: true};
    }
    zones = sure ? sure.zone : [];
  }
  function settle() {
    surely();
    looks();
    panel();
    table();
    status();
  }

  function update() {
    pending = 0;
    current = seen();
    if (moved()) sure = null; else surely();
    picture();
    outputs();
    looks();
    if (chosen !== null) panel();
    if (byId("numbers").open) table();
    clearTimeout(later);
    later = setTimeout(settle, 250);
  }
  function schedule() {
    if (!pending) pending = requestAnimationFrame(update);
  }

  byId("find").addEventListener("input", (event) => { query = event.target.value; schedule(); });
  byId("find").addEventListener("keydown", (event) => {
    const match = found();
    if (event.key !== "Enter" || !match || !match.size) return;
    const first = [...match].find((i) => current.points[i].x && current.points[i].y);
    if (first === undefined) return;
    event.preventDefault();
    if (chosen !== first) choose(first);
    marks[first].dot.focus();
  });
  byId("view").addEventListener("change", (event) => { view = event.target.value; byId("ellipses").disabled = view !== ""; placed = null; schedule(); });
  for (const box of ["bars", "ellipses", "names"]) byId(box).addEventListener("change", () => { placed = null; schedule(); });
  byId("numbers").addEventListener("toggle", table);
  byId("reset").addEventListener("click", () => {
    state = copy(own);
    view = query = "";
    chosen = null;
    byId("view").value = byId("find").value = "";
    byId("ellipses").disabled = false;
    placed = null;
    if (document.activeElement === byId("reset")) byId("find").focus();
    panel();
    schedule();
  });
  byId("copy").addEventListener("click", () => {
    const range = document.createRange();
    range.selectNodeContents(byId("toml"));
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    const done = () => { byId("status").textContent = words.copied; told = words.copied; };
    if (navigator.clipboard) navigator.clipboard.writeText(byId("toml").textContent).then(done, () => {});
    else if (document.execCommand("copy")) done();
  });
  addEventListener("beforeprint", () => document.querySelectorAll("details:not([open])").forEach((one) => { one.open = true; one.dataset.printed = ""; }));
  addEventListener("afterprint", () => document.querySelectorAll("details[data-printed]").forEach((one) => { one.open = false; delete one.dataset.printed; }));

  document.getElementById("live").hidden = false;
  if (!data.blocks) byId("ellipses").parentElement.hidden = true;
  controls();
  resize();
  surely();
  rove(rank[0]);
  panel();
  update();
  if (size.narrow) byId("numbers").open = true;
  new ResizeObserver(() => { if (svg.parentElement.clientWidth && svg.parentElement.clientWidth !== size.width) { resize(); schedule(); } }).observe(svg.parentElement);
  document.documentElement.dataset.live = "ready";
  performance.mark("live");
})();
