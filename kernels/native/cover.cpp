// Words of whole silhouettes, each 32 pixels of a column (kernels/canvas.py). Needs camera.cpp, traverse.cpp, canvas.cpp
// and, on the CPU, traverse_group.cpp and bundle.cpp. In: trees, views, instance (the image), canvases, span, thread. Out: canvases.word.
//
// What is visible is there, without a ray. A pixel that shows something else asks the row's meshes alone, one after the
// other until one is met: those whose box holds the pixel. Meshes that may have holes are left to canvas_passage.py.

    const int height = views.height, width = views.width, WORD = 32, COLUMNS = 8;
    const int run_end = (thread + 1) * span.run < span.count ? (thread + 1) * span.run : span.count;
    int row = 0, last_row = canvases.first_word.shape[0] - 1, row_end = 0;
    unsigned long long block_missed = 0;
    for (int i = thread * span.run; i < run_end; ++i) {
        const int at = span.first + i;
        if (at >= row_end) {
            int low = 0, high = last_row;  // first_word[low] <= at < first_word[high]
            while (high - low > 1) {
                const int middle = (low + high) >> 1;
                if (canvases.first_word.data[middle] <= at) low = middle;
                else high = middle;
            }
            row = low;
            row_end = canvases.first_word.data[high];
        }
        const CanvasRow c = canvas_row(row);
        // Words are taken eight columns at a time, side by side, and lie in memory column after column.
        const int words = words_of_column(c), place = at - canvases.first_word.data[row];
        const int block = place / (COLUMNS * words), in_block = place - block * COLUMNS * words;
        const int columns = c.x1 - c.x0 - block * COLUMNS < COLUMNS ? c.x1 - c.x0 - block * COLUMNS : COLUMNS;
        const int line = in_block / columns, column = block * COLUMNS + in_block - line * columns;
        const int x = c.x0 + column, y0 = c.y0 + WORD * line;
        unsigned int* word = out_word.data + canvases.first_word.data[row] + column * words + line;
#if !defined(__CUDA_ARCH__)
        if (in_block == line * columns) {
            block_missed = 0;
            if (columns == COLUMNS && i + COLUMNS <= run_end && is_straight(c.view) && covers_block(c, x, y0, block_missed)) {
                for (int k = 0; k < COLUMNS; ++k) word[k * words] = 0xffffffffu;
                i += COLUMNS - 1;
                continue;
            }
        }
#endif
        unsigned int bits = 0u;
        if (x >= 0 && x < width) {
            const int* column = instance.data + (size_t)c.view * height * width + x;
            for (int y = y0 > 0 ? y0 : 0; y < y0 + WORD && y < height; ++y)
                if (column[(size_t)y * width] == c.instance) bits |= 1u << (y - y0);
        }
        unsigned long long missed = block_missed;
#if !defined(__CUDA_ARCH__)
        if (__builtin_popcount(bits) < 24 && is_straight(c.view)) sample_word(c, x, y0, bits, missed);
#endif
        for (int g = 0; g < WORD / OMM_WIDTH; ++g) {
            const int y = y0 + g * OMM_WIDTH, all = OMM_WIDTH == 8 ? 255 : 1;
            bool has_ray = false;
            Ray ray;
            Rows rows;
            for (int job = c.job; job < c.job_end; ++job) {
                const int* box = canvases.box.data + 4 * (size_t)job;
                if (x < box[0] || x >= box[2] || y >= box[3] || y + OMM_WIDTH <= box[1]) continue;
                if (job - c.job < 64 && (missed >> (job - c.job) & 1)) continue;
                if (canvases.is_open.shape[0] > 0 && canvases.is_open.data[job]) continue;
                int lanes = all & ~(int)(bits >> (g * OMM_WIDTH));
                if (y + OMM_WIDTH > c.y1) lanes &= (1 << (c.y1 - y)) - 1;
                if (lanes == 0) break;
                if (!has_ray) {
                    Pixels p;
                    p.view = omm::splat_int(c.view);
                    p.y = omm::splat_int(y) + omm::lanes();
                    p.x = omm::splat_int(x);
                    p.one_view = c.view;
                    p.is_row = false;
                    ray = center_ray(views, p);
                    rows = label_rows(views, p, omm::to_float(p.y) + 0.5f);
                    has_ray = true;
                }
                const int begin = ~canvases.placement.data[job];
#if !defined(__CUDA_ARCH__)
                if (rows.one >= 0) {
                    const V3 from = with_twins(ray.origin, lanes), to = with_twins(ray.direction, lanes);
                    const Bests best = walk_group(trees, rows.one, from, to, lanes, omm::splat(FAR_M), true, begin);
                    bits |= (unsigned int)(bits_of(best.placement >= 0) & lanes) << (g * OMM_WIDTH);
                    continue;
                }
#endif
                for (int l = 0; l < OMM_WIDTH; ++l) {
                    if (!(lanes >> l & 1)) continue;
                    const float from[3] = {omm::get(ray.origin.x, l), omm::get(ray.origin.y, l), omm::get(ray.origin.z, l)};
                    const float to[3] = {omm::get(ray.direction.x, l), omm::get(ray.direction.y, l), omm::get(ray.direction.z, l)};
                    if (walk(trees, omm::get_int(rows.each, l), from, to, 0, FAR_M, true, begin).placement >= 0)
                        bits |= 1u << (g * OMM_WIDTH + l);
                }
            }
        }
        *word = bits;
    }
