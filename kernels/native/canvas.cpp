// Bitmaps of whole silhouettes (kernels/canvas.py): a bit for each pixel of a row's box, by columns of whole words.
// In: canvases. `each_run` calls `visit(x, from, to)` for every stretch of ones, column by column.

#if defined(__CUDA_ARCH__)
#define OMM_LOWEST(a) (__ffs(a) - 1)
#else
#define OMM_LOWEST(a) __builtin_ctz(a)
#endif

    struct CanvasRow { int view, instance, job, job_end, x0, y0, x1, y1, visible_px, has_open; };  // RowField
    auto canvas_row = [&](int row) { return ((const CanvasRow*)canvases.row.data)[row]; };
    auto words_of_column = [](const CanvasRow& row) { return (row.y1 - row.y0 + 31) >> 5; };
    auto each_run = [&](int index, const auto& visit) {
        const CanvasRow row = canvas_row(index);
        const unsigned int* word = canvases.word.data + canvases.first_word.data[index];
        const int words = words_of_column(row);
        for (int x = row.x0; x < row.x1; ++x) {
            unsigned int carry = 0u;
            int from = 0;
            for (int k = 0; k < words; ++k) {
                const unsigned int bits = *word++;
                for (unsigned int turns = bits ^ (bits << 1 | carry); turns; turns &= turns - 1u) {
                    const int at = row.y0 + 32 * k + OMM_LOWEST(turns);
                    if (carry == 0u) from = at;
                    else visit(x, from, at);
                    carry ^= 1u;
                }
            }
            if (carry) visit(x, from, row.y0 + 32 * words);
        }
    };
