"""Run-length masks of strangers: decoded by ourselves first, since pycocotools reads beyond the end of broken ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAX_GROUPS = 7  # of five bits: run lengths of 32 bits, and the sign of a difference
_FIRST_DIFFERENCE = 3  # runs from here on are stored as the difference to the one before the last


@dataclass(frozen=True)
class Decoded:
    """Sums over the runs of many masks."""

    is_valid: NDArray[np.bool_]  # [mask], decodes to run lengths from 0
    pixels: NDArray[np.int64]  # [mask], of all runs; of the invalid: -1
    is_canonical: NDArray[np.bool_]  # [mask], no run but the first is empty


def runs_of(counts: str) -> list[int] | None:
    """Return the run lengths of a compressed RLE, or None if it is not one. pycocotools would read beyond the end.

    Source: `rleFrString` of the COCO API, https://github.com/cocodataset/cocoapi/blob/master/common/maskApi.c:
    characters carry 5 bits above 48, bit 5 says that more follow, the sign is that of the last one's bit 4; from the
    third run on (the fourth number), numbers are differences from the run two before.
    """
    runs: list[int] = []
    value = shift = 0
    for character in counts:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            return None
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        if len(runs) > 2:
            value += runs[-2]
        if value < 0:
            return None
        runs.append(value)
        value = shift = 0
    return None if shift else runs


def decode(texts: Sequence[str]) -> Decoded:
    """Return what `runs_of` would say of each text, of all at once."""
    data = [text.encode("ascii") if text.isascii() else b"\0" for text in texts]
    length = np.array([len(item) for item in data], np.int64)
    code = np.frombuffer(b"".join(data), np.uint8).astype(np.int64) - 48
    mask_of = np.repeat(np.arange(len(data)), length)
    is_valid = length > 0
    is_valid[mask_of[(code < 0) | (code > 63)]] = False
    filled = np.flatnonzero(length)
    last = np.cumsum(length)[filled] - 1
    is_valid[filled] &= (code[last] & 0x20) == 0  # a number goes on beyond the end
    keep = is_valid[mask_of]
    code, mask_of = code[keep], mask_of[keep]
    empty = Decoded(is_valid, np.full(len(data), -1, np.int64), np.ones(len(data), np.bool_))
    if not code.size:
        return empty
    ends = np.flatnonzero((code & 0x20) == 0)
    starts = np.concatenate([[0], ends[:-1] + 1])
    groups = ends - starts + 1
    too_long = groups > _MAX_GROUPS
    place = np.minimum(np.arange(code.size) - np.repeat(starts, groups), _MAX_GROUPS)
    value = np.add.reduceat((code & 0x1F) << (5 * place), starts)
    value -= np.where(code[ends] & 0x10, np.int64(1) << (5 * np.minimum(groups, _MAX_GROUPS)), 0)
    owner = mask_of[starts]
    is_valid[owner[too_long]] = False
    return _summed(value, owner, empty)


def _summed(value: NDArray[np.int64], owner: NDArray[np.int64], empty: Decoded) -> Decoded:
    first = np.flatnonzero(np.concatenate([[True], owner[1:] != owner[:-1]]))
    count = np.diff(np.concatenate([first, [len(owner)]]))
    position = np.arange(len(owner)) - np.repeat(first, count)
    runs = value.copy()
    for chain_start in (1, 2):  # runs 1, 3, 5, ... and 2, 4, 6, ... are sums of differences; run 0 stands alone
        chain = np.flatnonzero((position >= chain_start) & ((position - chain_start) % 2 == 0))
        if chain.size:
            total = np.cumsum(value[chain])
            begins = np.flatnonzero(position[chain] == chain_start)
            before = np.concatenate([[0], total])[begins]
            runs[chain] = total - np.repeat(before, np.diff(np.concatenate([begins, [chain.size]])))
    np.logical_and.at(empty.is_valid, owner, runs >= 0)
    np.logical_and.at(empty.is_canonical, owner, (runs > 0) | (position == 0))
    np.add.at(empty.pixels, owner, runs)
    empty.pixels[owner[first]] += 1  # they began at -1
    empty.pixels[~empty.is_valid] = -1
    return empty


def canonical(rle: dict[str, Any]) -> dict[str, Any]:
    """Return the same mask with no empty runs, so that pycocotools measures its box right."""
    from pycocotools import mask as coco_mask

    height, width = rle["size"]
    runs = runs_of(rle["counts"].decode("ascii")) or []
    flat = np.repeat(np.arange(len(runs)) % 2, runs).astype(np.uint8)
    encoded: dict[str, Any] = coco_mask.encode(np.asfortranarray(flat.reshape(width, height).T))
    return encoded
