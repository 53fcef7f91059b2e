// From light to what is read out (kernels/sensor_expose.py). Needs sensor_group.cpp and sensor_random.cpp.

    auto raw_channel = [](const auto& sensor, V3 light, int channel) {
        const auto& m = sensor.response.data[channel];
        return light.x * m[0] + light.y * m[1] + light.z * m[2];
    };
    struct Reading {  // of a view
        float exposure, gain[3];
    };
    auto reading_of = [&](const auto& views, int view) {
        Reading r;
        const bool is_metered = views.metered.shape[0] > 0;
        const float* metered = (const float*)((const char*)views.metered.data + (is_metered ? (size_t)view * views.metered.strides[0] : 0));
        r.exposure = is_metered ? metered[0] : view_value(views, view, EXPOSURE);
        for (int c = 0; c < 3; ++c) r.gain[c] = is_metered ? metered[c + 1] : view_value(views, view, WHITE_RED + c);
        return r;
    };
    // Light at a group, with the glare of the pyramid's finest level.
    auto light_at = [&](const auto& views, const auto& groups, const auto& light, const auto& glare, const Group& g) {
        const V3 own = load_group3(light.data, g);
        if (glare.shape[0] == 0) return own;
        const float share = view_value(views, g.view, BLOOM_SHARE);
        if (share == 0.0f) return own;
        const int width = glare.shape[2], height = glare.shape[1], y = g.y >> 1;
        const float* near_row = (const float*)(glare.data + ((size_t)g.view * height + y) * width);
        const float* far_row = (const float*)(glare.data + ((size_t)g.view * height + clamp_index(y + ((g.y & 1) << 1) - 1, height)) * width);
        const I half = g.x >> 1, x = omm::select_int(half > width - 1, omm::splat_int(width - 1), half);
        I other = x + ((g.x & 1) << 1) - 1;
        other = omm::select_int(other < 0, omm::splat_int(0), omm::select_int(other > width - 1, omm::splat_int(width - 1), other));
        auto spread = [&](int c) {
            const F near = omm::gather(near_row + c, x * 3) * 0.75f + omm::gather(near_row + c, other * 3) * 0.25f;
            const F far = omm::gather(far_row + c, x * 3) * 0.75f + omm::gather(far_row + c, other * 3) * 0.25f;
            return near * 0.75f + far * 0.25f;
        };
        const V3 around = {spread(0), spread(1), spread(2)};
        return omm::add(omm::scale(own, omm::splat(1.0f - share)), omm::scale(around, omm::splat(share)));
    };
    // The share of saturation that is read out where `signal` is the share that arrived. Draws `dimension`.
    auto read_out = [&](const auto& views, const auto& sensor, const Group& g, F signal, I pixel, int dimension) {
        F share = omm::max(signal, omm::splat(0.0f));
        if (sensor.full_well_e > 0.0f) {
            const float at_white_e = view_value(views, g.view, ELECTRONS), dark_e = view_value(views, g.view, DARK_E);
            F mean_e = share * at_white_e, fixed_e = omm::splat(0.0f), dark = omm::splat(dark_e);
            if (sensor.prnu > 0.0f || sensor.dsnu_e > 0.0f || sensor.hot_share > 0.0f) {
                I word[4];
                F light_part, dark_part;
                philox_lanes(sensor.serial, (unsigned int)views.camera.data[g.view], pixel, dimension, sensor.pattern, word);
                normal_pair(word[0], word[1], light_part, dark_part);
                mean_e = omm::max(mean_e * (1.0f + sensor.prnu * light_part), omm::splat(0.0f));
                fixed_e = dark_part * sensor.dsnu_e;
                const M is_hot = unit_lanes(word[2]) < sensor.hot_share;
                if (omm::any(is_hot)) {  // exponential about the mean
                    const F more = omm::log2(unit_lanes(word[3])) * (-0.6931471805599453f * sensor.hot_e_per_s * view_value(views, g.view, TIME_S));
                    dark = omm::select(is_hot, dark + more, dark);
                }
            }
            I word[4];
            F shot, read;
            philox_lanes(views.world.data[g.view], views.frame.data[g.view], pixel, dimension, sensor.noise, word);
            normal_pair(word[0], word[1], shot, read);
            F counted = poisson(mean_e + dark, unit_lanes(word[2]), shot);
            counted = omm::min(counted, omm::splat(sensor.full_well_e));
            share = (counted + fixed_e + read * view_value(views, g.view, READ_NOISE_E) - dark_e) * (1.0f / at_white_e);
        }
        if (sensor.highest_dn > 0.0f) {
            const float range = sensor.highest_dn - sensor.black_dn;
            const F dn = omm::clamp(omm::floor(share * range + (sensor.black_dn + 0.5f)), 0.0f, sensor.highest_dn);
            return (dn - sensor.black_dn) * (1.0f / range);
        }
        return omm::min(share, omm::splat(1.0f));
    };
