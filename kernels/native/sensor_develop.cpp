// A run of groups from a mosaic to colours (kernels/sensor_develop.py). Needs sensor_tone.cpp.
// In: views, sensor, groups, table, raw, thread. Out: out_color.rgb.
// Sources: bilinear; Malvar, He, Cutler, "High-quality linear interpolation for demosaicing of Bayer-patterned color
// images", ICASSP 2004, figure 2. Beyond the border the mosaic is mirrored about the pixel there, which keeps its phase.

    auto reflected = [&](int index, int count) {
        const int inside = index < 0 ? -index : (index < count ? index : 2 * count - 2 - index);
        return clamp_index(inside, count);
    };
    for (int i = thread * groups.run; i < (thread + 1) * groups.run && i < groups.count; ++i) {
        const Group g = group_of(groups, groups.first + i);
        const float* image = raw.data + (size_t)g.view * groups.height * groups.width;
        const bool is_inside = g.first_x >= 2 && g.first_x + OMM_WIDTH + 2 <= groups.width;
        auto at = [&](int dy, int dx) {
            const float* row = image + (size_t)reflected(g.y + dy, groups.height) * groups.width;
            if (is_inside) return omm::load(row + g.first_x + dx);
            F out = omm::splat(0.0f);
            for (int l = 0; l < g.lanes; ++l) omm::set(out, l, row[reflected(g.first_x + l + dx, groups.width)]);
            return out;
        };
        const F own = at(0, 0), up_down = at(-1, 0) + at(1, 0), left_right = at(0, -1) + at(0, 1);
        const F diagonal = at(-1, -1) + at(-1, 1) + at(1, -1) + at(1, 1);
        // The other green at red and blue; red or blue at green, from the row and from the column; blue at red.
        F green = (up_down + left_right) * 0.25f, in_row = left_right * 0.5f, in_column = up_down * 0.5f, across = diagonal * 0.25f;
        if (sensor.is_malvar != 0) {
            const F far_up_down = at(-2, 0) + at(2, 0), far_left_right = at(0, -2) + at(0, 2);
            green = (own * 4.0f + (up_down + left_right) * 2.0f - far_up_down - far_left_right) * 0.125f;
            in_row = (own * 5.0f + left_right * 4.0f - diagonal - far_left_right + far_up_down * 0.5f) * 0.125f;
            in_column = (own * 5.0f + up_down * 4.0f - diagonal - far_up_down + far_left_right * 0.5f) * 0.125f;
            across = (own * 6.0f + diagonal * 2.0f - (far_up_down + far_left_right) * 1.5f) * 0.125f;
        }
        const I site = (g.x & 1) + ((g.y & 1) << 1);
        const M is_red = site == sensor.red_site, is_blue = site == (3 - sensor.red_site);
        const bool is_red_row = (g.y & 1) == (sensor.red_site >> 1);
        const V3 color = {omm::select(is_red, own, omm::select(is_blue, across, is_red_row ? in_row : in_column)),
                          omm::select(is_red, green, omm::select(is_blue, green, own)),
                          omm::select(is_red, across, omm::select(is_blue, own, is_red_row ? in_column : in_row))};
        finish_group(views, sensor, table, g, color, out_color.rgb.data);
    }
