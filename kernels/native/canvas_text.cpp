// The compressed counts of a row's bitmap on a canvas of its tight box (kernels/canvas.py). Needs rle.cpp and canvas.cpp.

    struct Box { int x0, y0, x1, y1; };
    auto compress = [&](int index, const Box& box, unsigned char* text) {
        const int height = box.y1 - box.y0;
        Mask mask = mask_into(text);
        each_run(index, [&](int x, int from, int to) {
            const int column = (x - box.x0) * height - box.y0;
            mask.run(column + from, column + to);
        });
        mask.close(height * (box.x1 - box.x0));
        return mask.length;
    };
