// What a row's bitmap says (kernels/canvas.py). Needs canvas_text.cpp.
// In: instance (the image), row, tally (its line of `out_tally`, 0 before and after). Out: out_value, out_tally.

    const CanvasRow at = canvas_row(row);
    const int height = instance.shape[1], width = instance.shape[2];
    const int* image = instance.data + (size_t)at.view * height * width;
    int* counts = out_tally.data + (size_t)tally * out_tally.shape[1];
    Box box = {0x7fffffff, 0x7fffffff, -0x7fffffff, -0x7fffffff};
    int full = 0, in_frame = 0;
    each_run(row, [&](int x, int from, int to) {
        full += to - from;
        if (x < box.x0) box.x0 = x;
        if (from < box.y0) box.y0 = from;
        if (x >= box.x1) box.x1 = x + 1;
        if (to > box.y1) box.y1 = to;
        const int a = from > 0 ? from : 0, b = to < height ? to : height;
        if (x >= 0 && x < width && b > a) in_frame += b - a;
    });
    auto each_hider = [&](const auto& visit) {
        each_run(row, [&](int x, int from, int to) {
            if (x < 0 || x >= width) return;
            for (int y = from > 0 ? from : 0; y < to && y < height; ++y) {
                const int id = image[(size_t)y * width + x];
                if (id != at.instance && id != 0) visit(id);
            }
        });
    };
    int hider = 0, hidden = 0;
    if (in_frame > at.visible_px) {
        each_hider([&](int id) { ++counts[id]; });
        each_hider([&](int id) {
            if (counts[id] > hidden || (counts[id] == hidden && counts[id] > 0 && id < hider)) {
                hider = id;
                hidden = counts[id];
            }
            counts[id] = 0;
        });
    }
    const int values[9] = {in_frame, full, box.x0, box.y0, box.x1, box.y1, hider, hidden, compress(row, box, nullptr)};
    for (int k = 0; k < 9; ++k) out_value.data[9 * (size_t)row + k] = values[k];
