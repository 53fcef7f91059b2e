// 8-bit codes of linear numbers (kernels/film.py). Needs lanes.cpp. In: table.

    // 8-bit sRGB codes of linear values, exactly rounded: a table over leading bits of the float and one comparison.
    auto encode_srgb = [&](F value) {
        const F v = omm::clamp(value, 0.0f, 1.0f);
        I run = (omm::bits(v) >> RUN_BITS) - FIRST_RUN;
        run = omm::select_int(run < 0, omm::splat_int(0), omm::select_int(run > (RUN_COUNT - 1), omm::splat_int((RUN_COUNT - 1)), run));
        const I code = omm::gather_int(table.code.data, run);
        return code + omm::select_int(v >= omm::gather(table.begin.data, code + 1), omm::splat_int(1), omm::splat_int(0));
    };
