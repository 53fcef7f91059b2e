// The compressed counts of a mask whose runs are in order (kernels/masks.py). Needs rle.cpp.
// In: runs, first, count, pixels, at. Out: out_text, unless it is empty, and how long the text is.

    Mask mask = mask_into(out_text.shape[0] > 0 ? out_text.data + at : nullptr);
    for (int i = first; i < first + count; ++i) {
        const int run = runs.order.data[i];
        mask.run(runs.start.data[run], runs.end.data[run]);
    }
    mask.close(pixels);
    return mask.length;
