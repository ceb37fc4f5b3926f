"""Compiled steps of the dual method: the inner problem's root, and projections.

The inner problem of given object prices is min over w in the simplex of <c, w> + k1 |w|_2 + k2 sqrt(sum q_e w_e^2) +
k3 |w|_inf. Its solution is proportional to W_e = min((mu - c_e)_+ / (1 + P q_e), tau), where level mu, curvature P
and ceiling tau are the root of three equations: |W|_2 = k1, P sqrt(sum q_e W_e^2) = k2, sum of the excess (mu - c_e -
(1 + P q_e) tau)_+ = k3. Its value is mu.
"""

from __future__ import annotations

import numpy as np

from foretell.compilation import compiled
from foretell.networked.kernels import Floats, Members

Root = tuple[float, float, float]
_TINY = 1e-300
_SAMPLE = 2000


@compiled
def residual_and_step(c: Floats, q: Floats, k: Root, root: Root) -> tuple[float, Root]:
    """Largest relative error of the three equations, and Newton's step (mu, P, tau) towards the root."""
    k1, k2, k3 = k
    mu, curvature, ceiling = root
    curved = q.size > 0
    squares = squares_q = excess = clipped = 0.0
    mu_2 = curve_2 = ceil_2 = mu_q = curve_q = ceil_q = ceil_excess = 0.0
    for e in range(c.size):
        height = mu - c[e]
        if height <= 0.0:
            continue
        weight_q = q[e] if curved else 0.0
        slope = 1.0 + curvature * weight_q
        w = height / slope
        if w < ceiling:
            squares += w * w
            mu_2 += w / slope
            if curved:
                squares_q += weight_q * w * w
                curve_2 += weight_q * w * w / slope
                mu_q += weight_q * w / slope
                curve_q += weight_q * weight_q * w * w / slope
        else:
            squares += ceiling * ceiling
            squares_q += weight_q * ceiling * ceiling
            ceil_2 += ceiling
            ceil_q += weight_q * ceiling
            excess += height - slope * ceiling
            clipped += 1.0
            ceil_excess += slope
    # Equations in logarithms, which are closer to linear; the last one relative. Rows of Newton's system: a x = r.
    s1 = max(squares, _TINY)
    r0 = -0.5 * np.log(s1 / (k1 * k1))
    a00, a01, a02 = mu_2 / s1, -curve_2 / s1, ceil_2 / s1
    a10, a11, a12, r1 = 0.0, 1.0, 0.0, 0.0
    if k2 > 0.0:
        s2 = max(squares_q, _TINY)
        r1 = np.log(k2) - np.log(max(curvature, _TINY)) - 0.5 * np.log(s2)
        a10, a11, a12 = mu_q / s2, 1.0 / curvature - curve_q / s2, ceil_q / s2
    a20, a21, a22, r2 = 0.0, 0.0, 1.0, 0.0
    if k3 > 0.0:
        r2 = 1.0 - excess / k3
        a20, a21, a22 = clipped / k3, -ceil_q / k3, -ceil_excess / k3
    error = max(abs(r0), abs(r1), abs(r2))
    # Cramer's rule.
    c0, c1, c2 = a11 * a22 - a12 * a21, a12 * a20 - a10 * a22, a10 * a21 - a11 * a20
    det = a00 * c0 + a01 * c1 + a02 * c2
    if det == 0.0 or not np.isfinite(det):
        return error, (np.nan, np.nan, np.nan)
    x0 = (r0 * c0 + a01 * (a12 * r2 - r1 * a22) + a02 * (r1 * a21 - a11 * r2)) / det
    x1 = (a00 * (r1 * a22 - a12 * r2) + r0 * c1 + a02 * (a10 * r2 - r1 * a20)) / det
    x2 = (a00 * (a11 * r2 - r1 * a21) + a01 * (r1 * a20 - a10 * r2) + r0 * c2) / det
    return error, (x0, x1, x2)


@compiled
def find_root(c: Floats, q: Floats, k: Root, start: Root, tolerance: float) -> Root:
    """Level, curvature and ceiling; Newton from ``start``, from a safe start where that fails."""
    root = start
    if not np.isfinite(start[0]):
        root = sampled_start(c, q, k)
    error, step = residual_and_step(c, q, k, root)
    restarted = False
    for _ in range(60):
        if error <= tolerance:
            break
        share = 1.0
        better = False
        for _ in range(12):
            trial = (root[0] + share * step[0], root[1] + share * step[1], root[2] + share * step[2])
            if trial[1] >= 0.0 and trial[2] > 0.0:
                trial_error, trial_step = residual_and_step(c, q, k, trial)
                if trial_error < error:
                    root, error, step = trial, trial_error, trial_step
                    better = True
                    break
            share *= 0.35
        if not better:
            if restarted:
                break
            restarted = True
            root = safe_start(c, q, k)
            error, step = residual_and_step(c, q, k, root)
    return root


@compiled
def sampled_start(c: Floats, q: Floats, k: Root) -> Root:
    """A point near the root, from every so manyth pair; sums over pairs are about as many times smaller."""
    stride = max(1, c.size // _SAMPLE)
    share = np.ascontiguousarray(c[::stride]).size / c.size
    k1, k2, k3 = k
    scaled = (k1 * np.sqrt(share), k2 * np.sqrt(share), k3 * share)
    return safe_start(np.ascontiguousarray(c[::stride]), np.ascontiguousarray(q[::stride]), scaled)


@compiled
def safe_start(c: Floats, q: Floats, k: Root) -> Root:
    """A point near the root, by solving for level and ceiling with the curvature held, and then for the curvature."""
    k1, k2, k3 = k
    curvature = 0.0
    mu, ceiling = _level_and_ceiling(c, q, k1, k3, curvature)
    for _ in range(40 if k2 > 0.0 else 0):
        total = 0.0
        for e in range(c.size):
            w = min(max(mu - c[e], 0.0) / (1.0 + curvature * q[e]), ceiling)
            total += q[e] * w * w
        aim = k2 / np.sqrt(max(total, _TINY))
        before = curvature
        curvature = aim if curvature == 0.0 else np.sqrt(aim * curvature)
        mu, ceiling = _level_and_ceiling(c, q, k1, k3, curvature)
        if abs(curvature - before) <= 0.01 * curvature:
            break
    return mu, curvature, ceiling


@compiled
def _level_and_ceiling(c: Floats, q: Floats, k1: float, k3: float, curvature: float) -> tuple[float, float]:
    """Level and ceiling with |W|_2 = k1 (to 0.1 %) and total excess k3, for a given curvature.

    A higher ceiling needs a higher level for the same excess, so that |W|_2 grows with the ceiling: bisection in its
    logarithm.
    """
    if k3 == 0.0:
        return _find_level(c, q, k1, curvature), np.inf
    low = k1 / np.sqrt(c.size)
    high = max(k1, low)
    for _ in range(60):
        ceiling = np.sqrt(low * high)
        level = _level_of_ceiling(c, q, k3, curvature, ceiling)
        squares = 0.0
        for e in range(c.size):
            slope = 1.0 + curvature * q[e] if q.size else 1.0
            w = min(max(level - c[e], 0.0) / slope, ceiling)
            squares += w * w
        if squares > k1 * k1:
            high = ceiling
        else:
            low = ceiling
        if high <= 1.001 * low:
            break
    return _level_of_ceiling(c, q, k3, curvature, high), high


@compiled
def _level_of_ceiling(c: Floats, q: Floats, k3: float, curvature: float, ceiling: float) -> float:
    """Level at which the excess over a ceiling is k3; Newton's method from the right of a convex function."""
    level = -np.inf
    for e in range(c.size):
        slope = 1.0 + curvature * q[e] if q.size else 1.0
        level = max(level, c[e] + slope * ceiling)
    level += k3
    for _ in range(100):
        excess = count = 0.0
        for e in range(c.size):
            slope = 1.0 + curvature * q[e] if q.size else 1.0
            over = level - c[e] - slope * ceiling
            if over > 0.0:
                excess += over
                count += 1.0
        if count == 0.0 or excess <= k3 * (1.0 + 1e-6):
            break
        level -= (excess - k3) / count
    return level


@compiled
def _find_level(c: Floats, q: Floats, k1: float, curvature: float) -> float:
    """Level mu with |W|_2 = k1; Newton's method on a convex function, from its right side after one step."""
    level = c.min() + k1
    for e in range(q.size):
        level = min(level, c[e] + k1 * (1.0 + curvature * q[e]))
    for _ in range(100):
        squares = slopes = 0.0
        for e in range(c.size):
            height = level - c[e]
            if height > 0.0:
                slope = 1.0 + curvature * q[e] if q.size else 1.0
                squares += (height / slope) ** 2
                slopes += height / (slope * slope)
        norm = np.sqrt(squares)
        if abs(norm - k1) <= 1e-9 * k1 or slopes == 0.0:
            break
        level += (k1 - norm) * norm / slopes
    return level


@compiled
def write_weights(c: Floats, q: Floats, root: Root, out: Floats) -> tuple[float, float, float, float, float]:
    """Write W; return its sum, sum of squares, sum of q W^2, maximum and total excess over the ceiling."""
    mu, curvature, ceiling = root
    curved = q.size > 0
    total = squares = squares_q = largest = excess = 0.0
    for e in range(c.size):
        height = max(mu - c[e], 0.0)
        weight_q = q[e] if curved else 0.0
        slope = 1.0 + curvature * weight_q
        w = height / slope
        if w > ceiling:
            excess += height - slope * ceiling
            w = ceiling
        out[e] = w
        total += w
        squares += w * w
        squares_q += weight_q * w * w
        largest = max(largest, w)
    return total, squares, squares_q, largest, excess


@compiled
def trim_weights(
    members: Members, weights: Floats, loads: Floats, cap: float, out: Floats
) -> tuple[float, float, float]:
    """Write weights, less where an object's load is above a cap; return their sum, sum of squares and maximum.

    A pair loses the share by which the larger load of its objects is too large, so that no load stays above the cap.
    """
    m, k = members.shape
    total = squares = largest = 0.0
    for e in range(m):
        load = loads[members[e, 0]]
        for j in range(1, k):
            load = max(load, loads[members[e, j]])
        w = weights[e] * (cap / load) if load > cap else weights[e]
        out[e] = w
        total += w
        squares += w * w
        largest = max(largest, w)
    return total, squares, largest


@compiled
def project(values: Floats, metric: Floats, total: float, out: Floats) -> None:
    """Nearest point of {x >= 0, sum x = total} in the norm sum metric_v x_v^2.

    Newton on the multiplier, which is exact.
    """
    low = -np.inf
    for v in range(values.size):
        low = max(low, values[v] * metric[v])
    # f(shift) = sum (x_v - shift / metric_v)_+ - total falls and is convex; Newton from its left side stays there.
    shift = (values.sum() - total) / (1.0 / metric).sum()
    shift = min(shift, low - 1e-15 * abs(low))
    for _ in range(200):
        mass = slope = 0.0
        for v in range(values.size):
            x = values[v] - shift / metric[v]
            if x > 0.0:
                mass += x
                slope += 1.0 / metric[v]
        if mass <= total * (1.0 + 1e-14) or slope == 0.0:
            break
        shift += (mass - total) / slope
    mass = 0.0
    for v in range(values.size):
        out[v] = max(values[v] - shift / metric[v], 0.0)
        mass += out[v]
    scale = total / mass if mass > 0.0 else 0.0
    for v in range(values.size):
        out[v] *= scale
