"""Compiled loops of the screening: one walk over a tile of low-precision values, by Numba.

Imported only where the extra `fast` is installed and used (`screening`). Each function takes a
range of a tile's tokens, so that several threads share a tile; none holds Python's lock.

Shapes: `low [tokens, d_sae]` holds bfloat16 pre-activations, less the feature's floor, as uint16
bits; `x [tokens, d_in]` and `rows [d_sae, d_in]` are float32, `rows[f]` the encoder's weights of
feature f. The error of a low value p is at most `|p| / 128 + alpha[t] · norms[f] + slack[f]`.
"""

from __future__ import annotations

import numba
import numpy as np

BLOCK = 64  # features looked at together: one cache line of bits, a handful of vector registers
PEAK = 16  # features whose largest lower bound stands for them where the k largest are sought
STORED = np.float32(2.0**-7)  # of itself that a value may lose when it is stored in bfloat16

Floats = np.ndarray  # float32

_QUICK = {"nogil": True, "cache": True, "boundscheck": False}
_SUM_IN_ANY_ORDER = {"reassoc", "contract"}  # and nothing else: NaN and infinity stay what they are


def _dot(a: Floats, b: Floats) -> np.float32:
    total = np.float32(0.0)
    for i in range(a.shape[0]):
        total += a[i] * b[i]
    return total


dot = numba.njit(fastmath=_SUM_IN_ANY_ORDER, **_QUICK)(_dot)


def _above(
    low: np.ndarray,
    x: Floats,
    rows: Floats,
    bias: Floats,
    floor: Floats,
    norms: Floats,
    slack: Floats,
    alpha: Floats,
    start: int,
    stop: int,
    most: int,
    counts: np.ndarray,
    columns: np.ndarray,
    values: Floats,
) -> int:
    """Features whose exact pre-activation lies above `floor [d_sae]`, for tokens `start:stop`.

    First all that may fire are found, token by token, then they are computed feature by feature, so
    that a feature's weights come from memory once for all tokens that need them, in order.

    Args:
        most: pre-activations to compute at the most.
        counts: `[tokens]`, filled with the firings of each token.
        columns, values: filled from 0 with the firings, token by token, by column.

    Returns:
        How many firings there are; -1 where more than `most` had to be computed.
    """
    d_sae = low.shape[1]
    bits = np.empty(BLOCK, np.int32)
    value = bits.view(np.float32)
    feature, token = np.empty(most, np.int32), np.empty(most, np.int32)
    uses = np.zeros(d_sae + 1, np.int32)
    n = 0
    for t in range(start, stop):
        error = alpha[t]
        for first in range(0, d_sae, BLOCK):
            size = min(BLOCK, d_sae - first)
            if size == BLOCK:  # of a length that is known, so that it becomes vector instructions
                of_low, of_norms = low[t, first : first + BLOCK], norms[first : first + BLOCK]
                of_slack = slack[first : first + BLOCK]
                for j in range(BLOCK):
                    bits[j] = np.int32(of_low[j]) << 16
                hits = np.int32(0)
                for j in range(BLOCK):
                    reach = value[j] + abs(value[j]) * STORED + error * of_norms[j] + of_slack[j]
                    hits += np.int32(reach >= np.float32(0.0))
                if hits == 0:
                    continue
            else:
                for j in range(size):
                    bits[j] = np.int32(low[t, first + j]) << 16
            for j in range(size):
                f = first + j
                if value[j] + abs(value[j]) * STORED + error * norms[f] + slack[f] >= 0:
                    if n == most:
                        return -1
                    feature[n], token[n] = f, t
                    uses[f + 1] += 1
                    n += 1
    for f in range(d_sae):
        uses[f + 1] += uses[f]
    by_feature = np.empty(n, np.int32)
    for i in range(n):
        by_feature[uses[feature[i]]] = i
        uses[feature[i]] += 1
    exact = np.empty(n, np.float32)
    for place in range(n):
        i = by_feature[place]
        exact[i] = dot(x[token[i]], rows[feature[i]]) + bias[feature[i]]
    found = 0
    for t in range(start, stop):
        counts[t] = 0
    for i in range(n):
        if exact[i] > floor[feature[i]]:
            columns[found], values[found] = feature[i], exact[i]
            counts[token[i]] += 1
            found += 1
    return found


above = numba.njit(**_QUICK)(_above)


def _largest(
    low: np.ndarray,
    x: Floats,
    rows: Floats,
    bias: Floats,
    k: int,
    norms: Floats,
    slack: Floats,
    alpha: Floats,
    start: int,
    stop: int,
    most: int,
    counts: np.ndarray,
    columns: np.ndarray,
    values: Floats,
) -> int:
    """The k largest pre-activations of each token that are above 0; as `above`, ties by column.

    k features have a lower bound of at least the k-th largest of the block maxima; so none whose
    upper bound is below it can be among the k largest.
    """
    d_sae = low.shape[1]
    blocks = (d_sae + PEAK - 1) // PEAK
    peaks = np.empty(blocks, np.float32)
    bits = np.empty(PEAK, np.int32)
    value = bits.view(np.float32)
    candidates = np.empty(d_sae, np.int32)
    exact = np.empty(d_sae, np.float32)
    found, computed = 0, 0
    for t in range(start, stop):
        before = found
        error = alpha[t]
        for block in range(blocks):
            first = block * PEAK
            size = min(PEAK, d_sae - first)
            peak = np.float32(-np.inf)
            for j in range(size):
                bits[j] = np.int32(low[t, first + j]) << 16
            for j in range(size):
                off = abs(value[j]) * STORED + error * norms[first + j] + slack[first + j]
                lower = value[j] - off
                peak = lower if lower > peak else peak
            peaks[block] = peak
        reached = max(np.partition(peaks, blocks - k)[blocks - k], np.float32(0.0))
        n = 0
        for f in range(d_sae):
            bits[0] = np.int32(low[t, f]) << 16
            if value[0] + abs(value[0]) * STORED + error * norms[f] + slack[f] >= reached:
                candidates[n] = f
                n += 1
        computed += n
        if computed > most:
            return -1
        for i in range(n):
            exact[i] = dot(x[t], rows[candidates[i]]) + bias[candidates[i]]
        least, room = np.float32(0.0), 0
        if n > k:
            least = max(np.partition(exact[:n], n - k)[n - k], np.float32(0.0))
            room = k
            for i in range(n):
                if exact[i] > least:
                    room -= 1
        for i in range(n):
            tied = exact[i] == least and least > 0 and room > 0
            if exact[i] > least or tied:
                if tied:
                    room -= 1
                columns[found] = candidates[i]
                values[found] = exact[i]
                found += 1
        counts[t] = found - before
    return found


largest = numba.njit(**_QUICK)(_largest)
