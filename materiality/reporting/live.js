"use strict";
// The live matrix: scores, intervals and tiers for any group weights and thresholds, from the numbers in the page.
// Names follow materiality/intervals.py (score_interval), tiers.py and matrix.py, where the methods are documented.
const Live = (() => {
  const ROUNDING = 1e-9;
  const sum = (values) => values.reduce((total, value) => total + value, 0);

  // One axis's scores with their intervals at given group weights; null where no group has a mean. A group that is
  // looked at alone has no score where its mean is hidden, and no interval (bare) where its mean alone is told.
  function scores(data, place, weights, alone = false) {
    const axis = data.axes[place], span = data.high - data.low;
    return data.issues.map((_, issue) => {
      const of = [];
      axis.mean[issue].forEach((mean, g) => { if (mean !== null && weights[g] > 0 && !(alone && axis.hidden[issue][g])) of.push(g); });
      if (alone && of.length && axis.bare[issue][of[0]]) {
        const value = axis.told[issue][of[0]];
        return {value, low: value, high: value, bare: true, n: axis.n[issue][of[0]], std: 0, variance: 0, share: new Map(), df: NaN, unreliable: false};
      }
      const total = sum(of.map((g) => weights[g]));
      if (!(total > 0)) return null;
      const s = {mean: 0, below: 0, above: 0, below2: 0, above2: 0, half2: 0, cut: 0, lean: 0, spread: 0, imagined: 0,
        seen: 0, own: 0, n: 0};
      for (const g of of) {
        const w = weights[g], below = axis.below[issue][g], above = axis.above[issue][g], cut = axis.cut[issue][g];
        const imagined = axis.imagined[issue][g], seen = axis.seen[issue][g], spread = imagined + seen, w2 = w * w;
        s.mean += w * axis.mean[issue][g];
        s.below += w * below;
        s.above += w * above;
        s.below2 += w2 * below * below;
        s.above2 += w2 * above * above;
        s.half2 += w2 * (((below + above) / 2) ** 2 + cut);
        s.cut += w2 * w2 * cut * spread;
        s.lean += w2 * w * (above - below) / 2 * spread;
        s.spread += w2 * spread;
        s.imagined += w2 * w2 * spread * imagined;
        s.seen += w2 * seen;
        s.own += w2 * axis.own[issue][g];
        s.n += axis.n[issue][g];
      }
      const share = new Map(of.map((g) => [g, weights[g] / total]));
      let variance = 0;
      const parts = new Map();
      for (const [g, h, covariance] of axis.taylor[issue]) {
        if (!share.has(g) || !share.has(h)) continue;
        const part = share.get(g) * share.get(h) * covariance;
        variance += g === h ? part : 2 * part;
        parts.set(g, (parts.get(g) || 0) + part);
        if (g !== h) parts.set(h, (parts.get(h) || 0) + part);
      }
      const value = s.mean / total, own = s.own / total ** 2 * span ** 2;
      const linked = own > 0 && variance > 0 ? Math.sqrt(Math.max(variance / own, 1)) : 1;
      const raised = Math.max(s.half2 - (s.spread > 0 ? s.cut / s.spread : 0), 0);
      const length = Math.sqrt(raised) / total * linked;
      const moved = s.spread > 0 ? s.lean / (s.spread * total) : 0;
      const shorter = linked * Math.sqrt(Math.min(s.below2, s.above2)) / total;
      const at = (value - data.low) / span;
      const start = at - Math.min(Math.max(length - moved, shorter), s.below / total);
      const end = at + Math.min(Math.max(length + moved, shorter), s.above / total);
      const clip = (x) => Math.min(Math.max(data.low + span * x, data.low), data.high);
      let pieces = 0, usable = 0;
      for (const [g, part] of parts) {
        const df = axis.df[issue][g];
        if (df > 0) { pieces += part * part / df; usable += part; }
      }
      if (axis.lonely.length) for (const g of of) variance += share.get(g) ** 2 * axis.lonely[issue][g];
      return {value, low: clip(start), high: clip(end), std: span * length / data.z, n: s.n, variance, share,
        df: pieces > 0 ? Math.min(Math.max(usable ** 2 / pieces, 1), Math.max(axis.people[issue] - 1, 1)) : NaN,
        unreliable: s.spread > 0 && s.imagined / s.spread > s.seen};
    });
  }

  function threshold(rule, values, midpoint) {
    const known = values.filter((value) => value !== null).sort((a, b) => a - b), k = known.length;
    if (rule.rule === "given") return rule.value;
    if (rule.rule === "midpoint") return midpoint;
    if (!k) return NaN;
    if (rule.rule === "mean") return sum(known) / k;
    if (rule.rule === "median") return (known[(k - 1) >> 1] + known[k >> 1]) / 2;
    if (rule.rule === "top") {
      if (rule.count >= k) return known[0] - 2 * ROUNDING;
      return (known[k - rule.count] + known[k - rule.count - 1]) / 2;
    }
    if (k < 2) return known[0];
    const gaps = known.slice(1).map((value, i) => value - known[i]);
    const widest = gaps.findIndex((gap) => gap >= Math.max(...gaps) - ROUNDING);
    return (known[widest] + known[widest + 1]) / 2;
  }

  // Numbers of the joint covariance: of issue i on axis a by unit g, and issue j on axis b by unit h.
  function covariance(data) {
    if (data.covariance) return data.covariance;
    const found = new Map();
    for (const block of data.blocks || []) {
      const bytes = Uint8Array.from(atob(block.values), (char) => char.charCodeAt(0));
      found.set(block.units.join(), new Float32Array(bytes.buffer));
    }
    const side = 2 * data.issues.length;
    data.covariance = {
      blocks: (data.blocks || []).map((block) => ({units: block.units, values: found.get(block.units.join())})),
      at(g, p, h, q) {
        if (g < h) return this.at(h, q, g, p);
        const values = found.get(`${g},${h}`);
        if (!values) return 0;
        if (g !== h) return values[p * side + q];
        return p >= q ? values[p * (p + 1) / 2 + q] : values[q * (q + 1) / 2 + p];
      },
    };
    return data.covariance;
  }

  function ellipse(data, issue, x, y) {
    if (!x || !y || !(x.std > 0) || !(y.std > 0) || !data.blocks) return null;
    const joint = covariance(data), issues = data.issues.length;
    let across = 0;
    if (x.variance > 0 && y.variance > 0) {
      for (const [g, a] of x.share) for (const [h, b] of y.share) across += a * b * joint.at(g, issue, h, issues + issue);
      across *= x.std * y.std / Math.sqrt(x.variance * y.variance);
    }
    const df = Math.max(Math.min(x.df || 1e9, y.df || 1e9), 1);
    const reach = df * (Math.pow(1 - data.confidence, -2 / df) - 1); // twice Fisher's quantile with 2 and df
    const xx = x.std ** 2, yy = y.std ** 2, middle = (xx + yy) / 2;
    const radius = Math.hypot((xx - yy) / 2, across);
    const angle = Math.atan2(middle + radius - xx, across);
    return {major: Math.sqrt(reach * (middle + radius)), minor: Math.sqrt(reach * Math.max(middle - radius, 0)),
      angle: across === 0 && xx >= yy ? 0 : angle};
  }

  // The matrix at given weights (per axis and group) and thresholds (null: by the study's rule).
  function evaluate(data, state) {
    const axes = [0, 1].map((place) => scores(data, place, state.weights[place]));
    const lines = [0, 1].map((place) => state.thresholds[place] !== null ? state.thresholds[place] : threshold(
      data.axes[place].threshold, axes[place].map((one) => one && one.value), data.run.midpoint));
    const points = data.issues.map((_, issue) => {
      const x = axes[0][issue], y = axes[1][issue];
      if (!x || !y) return {x, y, tier: null, material: null};
      const above = (x.value - lines[0] > ROUNDING) + (y.value - lines[1] > ROUNDING);
      return {x, y, tier: 3 - above, material: above >= (data.both ? 2 : 1)};
    });
    return {axes, thresholds: lines, points};
  }

  // Small, seeded: the same numbers on every machine.
  function normals(seed) {
    let state = seed >>> 0, spare = null;
    const uniform = () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296;
    };
    return () => {
      if (spare !== null) { const kept = spare; spare = null; return kept; }
      const radius = Math.sqrt(-2 * Math.log(uniform())), angle = 2 * Math.PI * uniform();
      spare = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    };
  }

  // How sure each tier is, and which issues are borderline, from draws as `tiers.place` makes them.
  function confidence(data, state, found, draws) {
    if (!data.blocks) return null;
    const issues = data.issues.length, side = 2 * issues;
    const one = (p) => found.axes[p < issues ? 0 : 1][p % issues];
    const known = [...Array(side).keys()].filter((p) => one(p)), k = known.length;
    const matrix = new Float64Array(k * k);
    for (const block of covariance(data).blocks) {
      const [g, h] = block.units;
      for (let a = 0; a < k; a++) for (let b = 0; b <= a; b++) {
        const p = known[a], q = known[b], P = one(p).share, Q = one(q).share;
        let value = (P.get(g) || 0) * (Q.get(h) || 0) * data.covariance.at(g, p, h, q);
        if (g !== h) value += (P.get(h) || 0) * (Q.get(g) || 0) * data.covariance.at(h, p, g, q);
        matrix[a * k + b] += value;
      }
    }
    const diagonal = known.map((p, a) => matrix[a * k + a]);
    const width = known.map((p) => {
      const s = one(p);
      return s.unreliable || !(s.variance > 0) ? {std: s.std, df: Infinity} : {std: Math.sqrt(s.variance), df: s.df};
    });
    const scale = known.map((p, a) => diagonal[a] > 0 ? width[a].std / Math.sqrt(one(p).variance || diagonal[a]) : 0);
    for (let a = 0; a < k; a++) {
      for (let b = 0; b < a; b++) { matrix[a * k + b] *= scale[a] * scale[b]; matrix[b * k + a] = matrix[a * k + b]; }
      matrix[a * k + a] = width[a].std ** 2;
    }
    const root = cholesky(matrix, k), normal = normals(data.seed + 1);
    const places = [0, 1].map((place) => known.map((p, a) => [p, a]).filter(([p]) => (p < issues ? 0 : 1) === place));
    const value = known.map((p) => one(p).value);
    const kept = places.map((of) => shareOfTruth(of.map(([, a]) => a), value, matrix, k));
    const means = places.map((of) => sum(of.map(([, a]) => value[a])) / of.length);
    const both = [...Array(issues).keys()].filter((i) => found.points[i].tier !== null);
    const agree = new Int32Array(issues), material = new Int32Array(issues);
    const distance = known.map((p, a) => value[a] - found.thresholds[p < issues ? 0 : 1]);
    const at = new Int32Array(side).fill(-1);
    known.forEach((p, a) => { at[p] = a; });
    const bands = both.flatMap((i) => [at[i], at[issues + i]]), deviations = bands.map(() => new Float64Array(draws));
    const noise = new Float64Array(k), drawn = new Float64Array(k), likely = new Float64Array(k);
    const rule = (place, values) => state.thresholds[place] !== null ? state.thresholds[place]
      : threshold(data.axes[place].threshold, values, data.run.midpoint);
    const moving = [0, 1].map((p) => state.thresholds[p] === null && !/given|midpoint/.test(data.axes[p].threshold.rule));
    for (let d = 0; d < draws; d++) {
      for (let a = 0; a < k; a++) noise[a] = normal();
      const level = normal();
      for (let a = 0; a < k; a++) {
        let total = 0;
        for (let b = 0; b <= a; b++) total += root[a * k + b] * noise[b];
        const df = width[a].df;
        if (df < Infinity) { // Wilson and Hilferty's quantile of a chi-square over its degrees of freedom
          total /= Math.sqrt(Math.max(1 - 2 / (9 * df) + level * Math.sqrt(2 / (9 * df)), 0.05) ** 3);
        }
        drawn[a] = value[a] + total;
      }
      const lines = [], likelyLines = [];
      places.forEach((of, place) => {
        const middle = of.reduce((total, [, a]) => total + drawn[a], 0) / of.length, share = kept[place];
        for (const [, a] of of) {
          const apart = value[a] - means[place];
          likely[a] = middle + share * apart + Math.sqrt(share) * (drawn[a] - middle - apart);
        }
        lines.push(moving[place] ? rule(place, of.map(([, a]) => drawn[a])) : found.thresholds[place]);
        likelyLines.push(moving[place] ? rule(place, of.map(([, a]) => likely[a])) : found.thresholds[place]);
      });
      for (const i of both) {
        const above = (likely[at[i]] - likelyLines[0] > ROUNDING) + (likely[at[issues + i]] - likelyLines[1] > ROUNDING);
        if (3 - above === found.points[i].tier) agree[i]++;
        if (above >= (data.both ? 2 : 1)) material[i]++;
      }
      bands.forEach((a, n) => { deviations[n][d] = drawn[a] - lines[known[a] < issues ? 0 : 1] - distance[a]; });
    }
    return {tier: data.issues.map((_, i) => found.points[i].tier === null ? null : agree[i] / draws),
      material: data.issues.map((_, i) => found.points[i].tier === null ? null : material[i] / draws),
      zone: zones(data, both, bands, deviations, distance, draws)};
  }

  function zones(data, both, bands, deviations, distance, draws) {
    const spread = deviations.map((one) => Math.sqrt(one.reduce((total, x) => total + x * x, 0) / draws));
    const largest = new Float64Array(draws);
    deviations.forEach((one, n) => {
      if (spread[n] > ROUNDING) one.forEach((x, d) => { largest[d] = Math.max(largest[d], Math.abs(x) / spread[n]); });
    });
    largest.sort();
    const reach = largest[Math.min(Math.ceil(data.confidence * (draws - 1)), draws - 1)];
    const found = data.issues.map(() => null), enough = data.both ? 2 : 1;
    both.forEach((issue, n) => {
      let surely = 0, possibly = 0;
      for (const m of [2 * n, 2 * n + 1]) {
        const width = spread[m] > ROUNDING ? reach * spread[m] : 0;
        surely += distance[bands[m]] - width > ROUNDING;
        possibly += distance[bands[m]] + width > ROUNDING;
      }
      found[issue] = surely >= enough ? "material" : possibly >= enough ? "borderline" : "not material";
    });
    return found;
  }

  function shareOfTruth(of, value, matrix, k) {
    const m = of.length;
    if (m <= 3) return 1;
    let trace = 0, all = 0;
    for (const a of of) { trace += matrix[a * k + a]; for (const b of of) all += matrix[a * k + b]; }
    const mean = sum(of.map((a) => value[a])) / m;
    const error = (trace - all / m) / (m - 1), total = sum(of.map((a) => (value[a] - mean) ** 2)) / (m - 1);
    const part = total > ROUNDING ** 2 ? Math.min(Math.max(error / total, 0), 1) : error > 0 ? 1 : 0;
    return 1 - (m - 3) / (m - 1) * part;
  }

  function cholesky(matrix, k) {
    const root = new Float64Array(k * k);
    for (let a = 0; a < k; a++) for (let b = 0; b <= a; b++) {
      let value = matrix[a * k + b];
      for (let c = 0; c < b; c++) value -= root[a * k + c] * root[b * k + c];
      if (a === b) root[a * k + a] = value > 1e-12 * matrix[a * k + a] ? Math.sqrt(value) : 0;
      else root[a * k + b] = root[b * k + b] > 0 ? value / root[b * k + b] : 0;
    }
    return root;
  }

  return {evaluate, scores, threshold, ellipse, confidence};
})();
