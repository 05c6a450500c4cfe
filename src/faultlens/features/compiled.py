"""Compiled loops of the screening: one walk over a block of low-precision products, by Numba.

Imported only where the extra `fast` is installed and used (`screened_encoding`). None holds
Python's lock, so that several threads share a block.

Shapes: `low [features, tokens]` holds the products of a block of features, a feature a row: of
bfloat16 as its bits, uint16, else int32. What they stand for, and how far it may be off, is said by
`TokenBounds` and `FeatureBounds` (`screen`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numba
import numpy as np

if TYPE_CHECKING:
    from faultlens.features.screen import FeatureBounds, TokenBounds

WORD = 8  # tokens that are looked at together, a byte each
TOGETHER = 4  # tokens that are computed together
PEAK = 16  # features whose largest lower bound stands for them where the k largest are sought

Floats = np.ndarray  # float32

_QUICK = {"nogil": True, "cache": True, "boundscheck": False}
_SUM_IN_ANY_ORDER = {"reassoc", "contract"}  # and nothing else: NaN and infinity stay what they are


class Exact(NamedTuple):
    """What pre-activations are computed from in float32.

    Attributes:
        x: prepared values, `[tokens, d_in]`.
        rows: the encoder, a feature a row, `[d_sae, d_in]`.
        bias, floor: of each feature; a pre-activation must exceed its floor.
    """

    x: Floats
    rows: Floats
    bias: Floats
    floor: Floats


def _four(a: Floats, b: Floats, c: Floats, d: Floats, row: Floats) -> tuple[Any, Any, Any, Any]:
    """Four dot products with one row, which is then read once; each summed as the others are."""
    of_a = of_b = of_c = of_d = np.float32(0.0)
    for i in range(row.shape[0]):
        of_a += a[i] * row[i]
        of_b += b[i] * row[i]
        of_c += c[i] * row[i]
        of_d += d[i] * row[i]
    return of_a, of_b, of_c, of_d


four = numba.njit(fastmath=_SUM_IN_ANY_ORDER, **_QUICK)(_four)


def _whole(
    y: Floats, low: np.ndarray, scale: Floats, largest: int, tiny: np.float32
) -> tuple[Any, Any]:
    """Rows in whole multiples of a scale of their own, of which the largest is `largest`.

    Args:
        low: int8, as `y`; filled with the multiples.
        scale: of each row, filled; `tiny` at least.

    Returns:
        in units of the scale the norm of each row's multiples, and of what rounding took.
    """
    kept, lost = np.empty(y.shape[0], np.float32), np.empty(y.shape[0], np.float32)
    for t in range(y.shape[0]):
        most = np.float32(0.0)
        for i in range(y.shape[1]):
            most = max(most, abs(y[t, i]))
        scale[t] = max(most / np.float32(largest), tiny)
        inverse = np.float32(1.0) / scale[t]
        of_kept = of_lost = np.float32(0.0)
        for i in range(y.shape[1]):
            value = y[t, i] * inverse
            whole = np.rint(value)
            low[t, i] = np.int8(whole)
            of_kept += whole * whole
            of_lost += (value - whole) * (value - whole)
        kept[t], lost[t] = np.sqrt(of_kept), np.sqrt(of_lost)
    return kept, lost


whole = numba.njit(fastmath=_SUM_IN_ANY_ORDER, **_QUICK)(_whole)


def _products(
    low: np.ndarray, tokens: TokenBounds, weights: Floats, bits: np.ndarray, value: Floats
) -> None:
    """One feature's products `[tokens]` in units of it, into `value`, whose memory is `bits`."""
    if low.itemsize == 2:
        for t in range(low.shape[0]):
            bits[t] = np.int32(low[t]) << 16
    else:
        for t in range(low.shape[0]):
            value[t] = np.float32(low[t]) * tokens.scale[t]
    for i in range(weights.shape[0]):
        weight = weights[i]
        for t in range(low.shape[0]):
            value[t] += weight * tokens.apart[i, t]


products = numba.njit(**_QUICK)(_products)


def _above(
    low: np.ndarray,
    lost: np.float32,
    tokens: TokenBounds,
    features: FeatureBounds,
    least: Floats,
    exact: Exact,
    first: int,
    last: int,
    feature: np.ndarray,
    token: np.ndarray,
    found: Floats,
) -> int:
    """Where the exact pre-activation lies above its floor, feature by feature, tokens in order.

    So a feature's weights come from memory once for all tokens that need them, in order.

    Args:
        lost: of itself that a product may have lost when it was stored.
        least: what pre-activations less their thresholds must reach to be computed, `[tokens]`.
        first, last: the features of `low`.
        feature, token, found: filled from 0 with the firings.

    Returns:
        How many firings there are; -1 where more than `feature` holds had to be computed.
    """
    count = low.shape[1]
    bits = np.empty(count, np.int32)
    value = bits.view(np.float32)
    hit = np.zeros((count + WORD - 1) // WORD * WORD, np.uint8)
    words = hit.view(np.uint64)
    some = np.empty(count + TOGETHER, np.int32)
    x, n, computed = exact.x, 0, 0
    for f in range(first, last):
        products(low[f - first], tokens, features.apart[f], bits, value)
        norm, rest, upper = features.norms[f], features.rests[f], features.upper[f]
        share = np.float32(1.0) / features.unit[f]
        for t in range(count):
            off = abs(value[t]) * lost + tokens.alpha[t] * norm + tokens.beta[t] * rest
            hit[t] = not (value[t] + off + upper < least[t] * share)  # a NaN is looked at
        hits = 0
        for word in range(words.shape[0]):
            if words[word] == 0:
                continue
            for t in range(word * WORD, word * WORD + WORD):
                if hit[t] != 0:
                    some[hits] = t
                    hits += 1
        computed += hits
        if computed > feature.shape[0]:
            return -1
        some[hits : hits + TOGETHER] = 0  # some token, so that all are computed alike
        for i in range(0, hits, TOGETHER):
            pre = four(
                x[some[i]], x[some[i + 1]], x[some[i + 2]], x[some[i + 3]], exact.rows[f]
            )  # fmt: skip
            for j in range(min(TOGETHER, hits - i)):
                if pre[j] + exact.bias[f] > exact.floor[f]:
                    feature[n], token[n], found[n] = f, some[i + j], pre[j] + exact.bias[f]
                    n += 1
    return n


above = numba.njit(**_QUICK)(_above)


def _peaks(
    low: np.ndarray,
    lost: np.float32,
    tokens: TokenBounds,
    features: FeatureBounds,
    first: int,
    last: int,
    peaks: Floats,
) -> None:
    """The largest lower bound of every `PEAK` features, into `peaks [d_sae / PEAK, tokens]`."""
    count = low.shape[1]
    bits = np.empty(count, np.int32)
    value = bits.view(np.float32)
    for f in range(first, last):
        products(low[f - first], tokens, features.apart[f], bits, value)
        norm, rest, lower = features.norms[f], features.rests[f], features.lower[f]
        unit, peak = features.unit[f], peaks[f // PEAK]
        for t in range(count):
            off = abs(value[t]) * lost + tokens.alpha[t] * norm + tokens.beta[t] * rest
            peak[t] = max(peak[t], unit * (value[t] - off + lower))


peaks = numba.njit(**_QUICK)(_peaks)


def _by_token(
    feature: np.ndarray,
    token: np.ndarray,
    value: Floats,
    counts: np.ndarray,
    columns: np.ndarray,
    values: Floats,
) -> None:
    """Firings that come feature by feature, sorted by token, then feature.

    Args:
        counts: `[tokens]`, filled with the firings of each token.
        columns, values: filled with the firings, token by token.
    """
    for i in range(token.shape[0]):
        counts[token[i]] += 1
    place = np.zeros(counts.shape[0], np.int64)
    for t in range(1, counts.shape[0]):
        place[t] = place[t - 1] + counts[t - 1]
    for i in range(token.shape[0]):
        columns[place[token[i]]], values[place[token[i]]] = feature[i], value[i]
        place[token[i]] += 1


by_token = numba.njit(**_QUICK)(_by_token)


def _largest(counts: np.ndarray, columns: np.ndarray, values: Floats, k: int) -> int:
    """Leave the k largest of each token, ties by column; what stays moves up, and is counted.

    All are positive, and the bits of positive numbers, as whole numbers, are in the same order: so
    the k-th largest is found by bisection of those.
    """
    bits = values.view(np.int32)
    start, kept = 0, 0
    for t in range(counts.shape[0]):
        stop = start + counts[t]
        least, room = np.int32(0), 0
        if counts[t] > k:
            beyond = np.int32(0x7F800001)  # infinity's, and one
            while beyond - least > 1:
                middle = least + (beyond - least) // 2
                if at_least(bits[start:stop], middle) >= k:
                    least = middle
                else:
                    beyond = middle
            room = k - at_least(bits[start:stop], least + 1)
        before = kept
        for i in range(start, stop):
            tied = bits[i] == least and room > 0
            if bits[i] > least or tied:
                room -= tied
                columns[kept], values[kept] = columns[i], values[i]
                kept += 1
        start = stop
        counts[t] = kept - before
    return kept


def _at_least(numbers: np.ndarray, least: int) -> int:
    count = 0
    for i in range(numbers.shape[0]):
        count += numbers[i] >= least
    return count


at_least = numba.njit(**_QUICK)(_at_least)
largest = numba.njit(**_QUICK)(_largest)
