"""Masks of what views see: runs of an instance image by columns, grouped by instance, and their compressed counts.

A run goes on from the bottom of a column at the top of the next one, as COCO's masks are read. Integer atomics only.
"""

import warp as wp

from .native_source import native

UNSEEN = wp.constant(0x7F800000)  # bits of +inf; positive floats are ordered as their bits are


@wp.struct
class Runs:
    """Stretches of one instance in the columns of a batch's images, the background's left out."""

    instance_count: int
    first: wp.array[int]  # [view * width + x], of the runs that begin in a column
    lead: wp.array[int]  # [view * width + x], pixels from a column's top on that have the id of the first
    key: wp.array[int]  # [2 * run], view * instance_count + instance, sorted; the rest is for sorting
    order: wp.array[int]  # [2 * run], which run is the i-th in the order of keys
    start: wp.array[int]  # [run], x * height + y of the first pixel
    end: wp.array[int]  # [run], one past the last


@wp.struct
class MaskRows:
    """One row for every instance of a view that is seen."""

    run: wp.array[int]  # [row + 1], its first one in the order of keys
    key: wp.array[int]  # [row]
    nearest_m: wp.array[float]  # [row], least depth
    area_px: wp.array[int]  # [row]
    box_px: wp.array2d[int]  # [row, 4], x0, y0, x1, y1, half-open
    length: wp.array[int]  # [row + 1], bytes of the compressed mask; the last is 0


@wp.func
def before_column(instance: wp.array3d[int], view: int, x: int) -> int:
    """Return the id of the pixel that is read before a column's first; 0 before the image's."""
    if x == 0:
        return 0
    return instance[view, instance.shape[1] - 1, x - 1]


@wp.func_native(native("lower"))
def lower(row: int, column: int, value: int, out_least: wp.array2d[int]):
    """Lower an entry of a table to a value, whoever else does so at the same time; see native/lower.cpp."""


@wp.kernel(enable_backward=False)
def count_runs(
    first: int, instance: wp.array3d[int], depth_m: wp.array3d[float], out_count: wp.array[int],
    out_lead: wp.array[int], out_nearest: wp.array2d[int],
):  # fmt: skip
    """Count the runs that begin in a column, and write its lead and the bits of instances' least depths in the view."""
    column = first + wp.tid()
    width = instance.shape[2]
    view = column // width
    x = column - view * width
    last = before_column(instance, view, x)
    count = int(0)
    lead = int(instance.shape[1])
    nearest = int(UNSEEN)
    for y in range(instance.shape[1]):
        value = instance[view, y, x]
        if value != last:
            if y > 0:
                lead = wp.min(lead, y)
            if last != 0 and nearest != UNSEEN:
                lower(view, last, nearest, out_nearest)
            nearest = UNSEEN
            if value != 0:
                count += 1
        nearest = wp.min(nearest, wp.cast(depth_m[view, y, x], wp.int32))
        last = value
    if last != 0 and nearest != UNSEEN:
        lower(view, last, nearest, out_nearest)
    out_count[column] = count
    out_lead[column] = lead


@wp.func
def run_end(instance: wp.array3d[int], lead: wp.array[int], view: int, x: int, value: int) -> int:
    """Return where a run ends that reaches the bottom of column x, [x * height + y]; it looks at one pixel a column."""
    height = instance.shape[1]
    width = instance.shape[2]
    for following in range(x + 1, width):
        if instance[view, 0, following] != value:
            return following * height
        pixels = lead[view * width + following]
        if pixels < height:
            return following * height + pixels
    return width * height


@wp.kernel(enable_backward=False)
def write_runs(first: int, instance: wp.array3d[int], out_runs: Runs):
    """Write the runs that begin in a column."""
    column = first + wp.tid()
    width = instance.shape[2]
    height = instance.shape[1]
    view = column // width
    x = column - view * width
    last = before_column(instance, view, x)
    run = out_runs.first[column]
    is_open = bool(False)
    for y in range(height):
        value = instance[view, y, x]
        if value != last:
            if is_open:
                out_runs.end[run] = x * height + y
                run += 1
            is_open = value != 0
            if is_open:
                out_runs.start[run] = x * height + y
                out_runs.key[run] = view * out_runs.instance_count + value
                out_runs.order[run] = run
        last = value
    if is_open:
        out_runs.end[run] = run_end(instance, out_runs.lead, view, x, last)


@wp.kernel(enable_backward=False)
def mark_rows(runs: Runs, out_begins: wp.array[int]):
    """Write 1 where the runs of a row begin, otherwise 0."""
    i = wp.tid()
    is_new = bool(True)
    if i > 0:
        is_new = runs.key[i] != runs.key[i - 1]
    out_begins[i] = wp.where(is_new, 1, 0)


@wp.kernel(enable_backward=False)
def write_rows(runs: Runs, number: wp.array[int], out_rows: MaskRows):
    """Write where the runs of every row begin; `number` is the inclusive sum of what `mark_rows` writes."""
    i = wp.tid()
    row = number[i] - 1
    if i == 0 or number[i - 1] != row + 1:
        out_rows.run[row] = i
        out_rows.key[row] = runs.key[i]
    if i == number.shape[0] - 1:
        out_rows.run[row + 1] = i + 1


@wp.func_native(native("rle", "mask"))
def compress_mask(  # type: ignore[empty-body]
    runs: Runs, first: int, count: int, pixels: int, at: int, out_text: wp.array[wp.uint8]
) -> int:  # fmt: skip
    """Return the length of a mask's compressed counts, and write them where there is room; see native/mask.cpp."""


@wp.kernel(enable_backward=False)
def measure_masks(
    first: int, instance: wp.array3d[int], nearest: wp.array2d[int], runs: Runs, nothing: wp.array[wp.uint8],
    out_rows: MaskRows,
):  # fmt: skip
    """Write area, box, distance and length of the text of every row's mask; `nothing` is empty."""
    row = first + wp.tid()
    height = instance.shape[1]
    begin = out_rows.run[row]
    end = out_rows.run[row + 1]
    area = int(0)
    x0 = int(instance.shape[2])
    y0 = int(height)
    x1 = int(0)
    y1 = int(0)
    for i in range(begin, end):
        run = runs.order[i]
        start = runs.start[run]
        last = runs.end[run] - 1
        area += last + 1 - start
        from_x = start // height
        to_x = last // height
        x0 = wp.min(x0, from_x)
        x1 = wp.max(x1, to_x + 1)
        if to_x > from_x:  # it touches the lower and the upper edge
            y0 = 0
            y1 = height
        else:
            y0 = wp.min(y0, start - from_x * height)
            y1 = wp.max(y1, last - to_x * height + 1)
    view = out_rows.key[row] // runs.instance_count
    bits = nearest[view, out_rows.key[row] - view * runs.instance_count]
    out_rows.nearest_m[row] = wp.cast(bits, wp.float32)
    out_rows.area_px[row] = area
    out_rows.box_px[row, 0] = x0
    out_rows.box_px[row, 1] = y0
    out_rows.box_px[row, 2] = x1
    out_rows.box_px[row, 3] = y1
    out_rows.length[row] = compress_mask(runs, begin, end - begin, height * instance.shape[2], 0, nothing)


@wp.kernel(enable_backward=False)
def write_masks(
    first: int, instance: wp.array3d[int], runs: Runs, rows: MaskRows, first_byte: wp.array[int],
    out_text: wp.array[wp.uint8],
):  # fmt: skip
    """Write the compressed counts of every row's mask."""
    row = first + wp.tid()
    begin = rows.run[row]
    pixels = instance.shape[1] * instance.shape[2]
    compress_mask(runs, begin, rows.run[row + 1] - begin, pixels, first_byte[row], out_text)
