/* Labels beside the dots of a crowded matrix: plain geometry in pixels, the same for the same input.

dots [[x, y]], not finite: no label; sizes [[width, height]]; options: radius of all dots or of each, bounds [x0, y0,
x1, y1], obstacles (boxes never covered), segments [[x0, y0, x1, y1]] better not covered, previous (an earlier result,
kept where it can be). Returns for each {x, y, dx, dy, shown, leader}: the top left corner, the same from the dot, and
the line from the dot's edge to the label's, or null. Shown labels cover no label, dot, obstacle or leader. */
function placeLabels(dots, sizes, options) {
  "use strict";
  const GAP = 2; // between a label and what it must not touch
  const BESIDE = 5; // farther from its dot's edge, a label needs a leader
  const RINGS = [0, 3, 8, 15, 25, 40, 60, 85, 115, 150, 195, 250, 320, 410, 520, 650];
  const GRID = 30; // columns and rows of places all over, for a label that found none
  const EFFORT = 48000; // places looked at, before none may be taken from another label any more
  // Costs: a label rather goes that many pixels farther.
  const LEADER = 20, ON_LINE = 12, FOREIGN = 25, MOVED = 40, ON_DOT = 60, CROSS = 200, EJECT = 300, TABU = 100;
  const L = 4, E = 8, COST = 12, KNOWN = 13, LOST = 14; // of a place: box, leader (NaN: none), box of both, cost, is it all

  const { abs, max, min, sqrt } = Math, { radius, segments = [], obstacles = [], previous } = options;
  const [left, top, right, bottom] = options.bounds, all = [...dots.keys()], n = all.length;
  const real = (i) => dots[i].every(Number.isFinite);
  const X = Float64Array.from(all, (i) => (real(i) ? dots[i][0] : 1e9));
  const Y = Float64Array.from(all, (i) => (real(i) ? dots[i][1] : 1e9));
  const R = Float64Array.from(all, (i) => (Array.isArray(radius) ? radius[i] : radius));
  const was = all.map((i) => (previous && previous[i] && previous[i].shown ? previous[i] : null));

  const within = (v, low, high) => max(low, min(high, v));
  const apart = (p, k, q, gap) =>
    p[k] >= q[k + 2] + gap || p[k + 2] <= q[k] - gap || p[k + 1] >= q[k + 3] + gap || p[k + 3] <= q[k + 1] - gap;
  // A segment and a box, by separating axes: x, y and the segment's normal.
  const meets = (s, k, b, gap) => {
    const ax = s[k], ay = s[k + 1], bx = s[k + 2], by = s[k + 3], dx = bx - ax, dy = by - ay;
    const x0 = b[0] - gap, y0 = b[1] - gap, x1 = b[2] + gap, y1 = b[3] + gap;
    if (max(ax, bx) <= x0 || min(ax, bx) >= x1 || max(ay, by) <= y0 || min(ay, by) >= y1) return false;
    return abs(dx * (y0 + y1 - 2 * ay) - dy * (x0 + x1 - 2 * ax)) < abs(dx) * (y1 - y0) + abs(dy) * (x1 - x0);
  };
  const side = (p, x, y) => (p[L + 2] - p[L]) * (y - p[L + 1]) - (p[L + 3] - p[L + 1]) * (x - p[L]);
  const parts = (p, q) => side(p, q[L], q[L + 1]) * side(p, q[L + 2], q[L + 3]) < 0;
  // What two places cost together: Infinity where both cannot be.
  const clash = (p, q) => {
    if (apart(p, E, q, GAP)) return 0;
    if (!apart(p, 0, q, GAP)) return Infinity;
    const led = p[L] === p[L], other = q[L] === q[L];
    if ((led && meets(p, L, q, 1)) || (other && meets(q, L, p, 1))) return Infinity;
    return led && other && parts(p, q) && parts(q, p) ? CROSS : 0;
  };

  // A label's place with its corner at x, y and the least that it costs; null where it cannot be.
  const place = (i, x, y) => {
    const w = sizes[i][0], h = sizes[i][1], r = R[i], cx = X[i], cy = Y[i], old = was[i];
    x = within(x, left, right - w);
    y = within(y, top, bottom - h);
    const x1 = x + w, y1 = y + h, nx = within(cx, x, x1), ny = within(cy, y, y1);
    const centre = sqrt((nx - cx) ** 2 + (ny - cy) ** 2), own = centre - r;
    if (own < GAP) return null;
    let foreign = own + 8, led = own > BESIDE;
    for (let j = 0; j < n; j++) {
      const u = X[j], v = Y[j], reach = max(foreign + R[j], centre);
      if (u < x - reach || u > x1 + reach || v < y - reach || v > y1 + reach || j === i) continue;
      const ox = u < x ? x - u : u > x1 ? u - x1 : 0, oy = v < y ? y - v : v > y1 ? v - y1 : 0;
      const away = sqrt(ox * ox + oy * oy), edge = away - R[j];
      if (edge < GAP) return null;
      if (edge < foreign) foreign = edge;
      if (away < centre || edge < own) led = true;
    }
    for (const b of obstacles) if (!apart([x, y, x1, y1], 0, b, GAP)) return null;
    // readers expect a label on the right, level with the dot or above it
    const ux = within((x + w / 2 - cx) / (w / 2 + r), -1, 1), uy = within((y + h / 2 - cy) / (h / 2 + r), -1, 1);
    let cost = own - 3 * ux + abs(uy) + uy / 2 + FOREIGN * min(1, (own + 8 - foreign) / 8);
    const moved = old ? min(abs(x - cx - old.dx) + abs(y - cy - old.dy), abs(x - old.x) + abs(y - old.y)) : 0;
    cost += MOVED * min(1, moved / 30);
    if (!led) return [x, y, x1, y1, NaN, NaN, NaN, NaN, x, y, x1, y1, cost, 0.5, 0.5];
    const sx = cx + ((nx - cx) * r) / centre, sy = cy + ((ny - cy) * r) / centre;
    return [x, y, x1, y1, sx, sy, nx, ny, min(x, sx), min(y, sy), max(x1, sx), max(y1, sy), cost + LEADER, 0.5, 0.5];
  };
  // Adds lines under the label, and dots and obstacles under its leader: slow to find, so only where it matters.
  const complete = (i, p) => {
    p[KNOWN] = 1.5;
    for (const s of segments) if (meets(s, 0, p, 0)) p[COST] += ON_LINE;
    if (p[L] !== p[L]) return;
    const sx = p[L], sy = p[L + 1], vx = p[L + 2] - sx, vy = p[L + 3] - sy, long = vx * vx + vy * vy;
    for (let j = 0; j < n; j++) {
      const dx = X[j] - sx, dy = Y[j] - sy, t = within((dx * vx + dy * vy) / long, 0, 1);
      const near = (dx - t * vx) ** 2 + (dy - t * vy) ** 2 < (R[j] + 1) ** 2;
      if (near && (X[j] - X[i]) ** 2 + (Y[j] - Y[i]) ** 2 > R[i] ** 2) p[COST] += ON_DOT;
    }
    for (const b of obstacles) if (meets(p, L, b, 0)) p[COST] += CROSS;
  };

  // A label's places at each distance, found when first asked for: where it was, rings, all over.
  const rings = all.map(() => []);
  const places = (i, ring) => {
    if (rings[i][ring]) return rings[i][ring];
    const [w, h] = sizes[i], found = (rings[i][ring] = []), put = (x, y) => found.push(place(i, x, y));
    if (!ring && was[i]) {
      if (was[i].leader) put(was[i].x, was[i].y);
      put(X[i] + was[i].dx, Y[i] + was[i].dy);
    } else if (ring && ring <= RINGS.length) {
      const away = R[i] + GAP + 1e-6 + RINGS[ring - 1], ways = ring < 6 ? 16 : 24;
      for (let k = ring % 2 ? 0 : 0.5; k < ways; k++) {
        const c = Math.cos((2 * k * Math.PI) / ways), s = Math.sin((2 * k * Math.PI) / ways);
        // places beside and above slide along the label's edge, diagonal ones touch its corner
        const steep = ring % 2 || ring < 6 ? 1.42 : 99, cx = within(steep * c, -1, 1), cy = within(steep * s, -1, 1);
        const out = abs(cx * cy) === 1 ? away : away / max(abs(c), abs(s));
        put(X[i] + out * c + (cx * w - w) / 2, Y[i] + out * s + (cy * h - h) / 2);
      }
    } else if (ring)
      for (let k = 0; k <= GRID; k++)
        for (let l = 0; l <= GRID; l++) put(left + ((right - left - w) * k) / GRID, top + ((bottom - top - h) * l) / GRID);
    return (rings[i][ring] = found.filter(Boolean));
  };

  const at = all.map(() => null), price = all.map(() => EJECT);
  let work = 0;
  // What a place costs among the labels that are laid; those in its way have a price, or are not to be moved.
  const among = (i, p, least, firm) => {
    let extra = firm ? 0 : p[LOST];
    work++;
    for (let j = 0; j < n && p[COST] + extra < least; j++) {
      if (!at[j] || j === i) continue;
      const cost = clash(p, at[j]);
      extra += cost === Infinity && !firm ? price[j] : cost;
    }
    if (p[KNOWN] < 1 && p[COST] + extra < least) complete(i, p);
    return p[COST] + extra;
  };
  const seek = (i, firm) => {
    let best = null, least = Infinity;
    for (let ring = 0; ring <= RINGS.length + 1; ring++) {
      if (ring > RINGS.length ? best : ring && least <= RINGS[ring - 1] - 2) break;
      for (const p of places(i, ring)) {
        const cost = among(i, p, least, firm);
        if (cost < least) [best, least] = [p, cost];
      }
    }
    return best;
  };

  const room = all.filter((i) => real(i) && sizes[i][0] <= right - left && sizes[i][1] <= bottom - top);
  for (const i of room) at[i] = places(i, 0).find((p) => among(i, p, Infinity, true) < Infinity) || null;
  // A label takes the cheapest place, if need be other labels', which then look anew and are dearer to move again.
  const queue = room.filter((i) => !at[i]);
  while (queue.length) {
    const i = queue.shift(), best = (at[i] = seek(i, work > EFFORT));
    for (const j of all) {
      if (!best || !at[j] || j === i || clash(best, at[j]) < Infinity) continue;
      at[j][LOST] += TABU;
      at[j] = null;
      price[j] += EJECT;
      queue.push(j);
    }
  }
  for (const i of room) if (at[i] && at[i][COST] > 10) at[i] = seek(i, true);
  for (const i of room) at[i] = at[i] || seek(i, true);
  return at.map((p, i) => {
    if (!p) return { x: 0, y: 0, dx: 0, dy: 0, shown: false, leader: null };
    const [x, y] = p, leader = p[L] === p[L] ? p.slice(L, E) : null;
    return { x, y, dx: x - X[i], dy: y - Y[i], shown: true, leader };
  });
}
