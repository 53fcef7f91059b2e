// From balanced raw channels to 8-bit codes (kernels/sensor_expose.py, sensor_develop.py). Needs sensor_group.cpp.

    auto encode_tone = [&](const auto& table, F value) {
        const F v = omm::clamp(value, 0.0f, 1.0f);
        I run = (omm::bits(v) >> TONE_RUN_BITS) - TONE_FIRST_RUN;
        run = omm::select_int(run < 0, omm::splat_int(0), omm::select_int(run > (TONE_RUN_COUNT - 1), omm::splat_int((TONE_RUN_COUNT - 1)), run));
        const I code = omm::gather_int(table.code.data, run);
        return code + omm::select_int(v >= omm::gather(table.begin.data, code + 1), omm::splat_int(1), omm::splat_int(0));
    };
    auto finish_group = [&](const auto& views, const auto& sensor, const auto& table, const Group& g, V3 raw, unsigned char* rgb) {
        const auto& m = sensor.color_matrix.data;
        V3 color = {raw.x * m[0][0] + raw.y * m[0][1] + raw.z * m[0][2], raw.x * m[1][0] + raw.y * m[1][1] + raw.z * m[1][2],
                    raw.x * m[2][0] + raw.y * m[2][1] + raw.z * m[2][2]};
        const float saturation = view_value(views, g.view, SATURATION), contrast = view_value(views, g.view, CONTRAST);
        if (saturation != 1.0f) {
            const F grey = (color.x * 0.2126f + color.y * 0.7152f + color.z * 0.0722f) * (1.0f - saturation);
            color = omm::add(omm::scale(color, omm::splat(saturation)), omm::same(grey));
        }
        if (contrast != 1.0f) {  // about middle grey, in stops
            auto spread = [&](F v) { return omm::pow(omm::max(v, omm::splat(0.0f)) * (1.0f / sensor.pivot), omm::splat(contrast)) * sensor.pivot; };
            color = {spread(color.x), spread(color.y), spread(color.z)};
        }
        const I codes[3] = {encode_tone(table, color.x), encode_tone(table, color.y), encode_tone(table, color.z)};
        unsigned char* first = rgb + 3 * g.at;
        for (int l = 0; l < g.lanes; ++l)
            for (int c = 0; c < 3; ++c) first[3 * l + c] = (unsigned char)omm::get_int(codes[c], l);
    };
