// A dome's light on a surface: directions where the surface's lobes look and where the dome's image is bright, so that
// neither gloss nor a sun in the image is speckled (kernels/shade.py). Needs light.cpp and lobes.cpp.
// Source: images by their marginal and conditional distributions, Pharr, Jakob, Humphreys, PBRT 4, section 12.5.

    // Share of samples that follow a dome's image or the sky; few where the smooth lobe of a mirror decides what is seen.
    auto image_share = [&](const auto& lights, const Rows& rows, int light, const Bsdf& bsdf, F gloss) {
        const F width = omm::min(4.0f * bsdf.alpha, omm::splat(1.0f));
        F share = lights.domes.share.data[light] * (1.0f - gloss * (1.0f - width));
        if (lights.kind.data[light] == SKY) share = share * of_row(lights.sky, rows, SKY_UNEVENNESS, 0);
        return share;
    };
    struct DomeTable {  // numbers `first` and following, as `Domes` describes them; rows of cells begin at latitude `bottom`
        const float* value;
        I first;
        int columns, rows;
        float bottom;  // in v: 0 or, for the sky, which has a table in every row of lights, 1/2
    };
    auto table_of = [&](const auto& lights, const Rows& rows, int light) {
        if (lights.kind.data[light] == SKY) {
            const int stride = (int)(lights.sky.strides[0] / sizeof(float));
            return DomeTable{(const float*)lights.sky.data + SKY_NUMBERS, rows.each * stride, SKY_COLUMNS, SKY_ROWS, 0.5f};
        }
        const auto size = lights.domes.size.data[light];
        return DomeTable{lights.domes.value.data, omm::splat_int(lights.domes.first.data[light]), size[0], size[1], 0.0f};
    };
    // The last of `count` ascending numbers from `first` on that is not above `u`; the first one is 0.
    auto last_not_above = [&](const float* values, I first, int count, F u) {
        I low = omm::splat_int(0);
        int step = 1;
        while (2 * step < count) step *= 2;
        for (; step > 0; step /= 2) {
            const I next = low + step;
            const M inside = next < count;
            const F value = omm::gather(values, first + omm::select_int(inside, next, low));
            low = omm::select_int(inside & (value <= u), next, low);
        }
        return low;
    };
    // How far `u` lies from number `i` of those to the next one, or to 1 after the last.
    auto share_of_cell = [&](const float* values, I first, int count, I i, F u) {
        const F begin = omm::gather(values, first + i);
        const M is_last = i >= count - 1;
        const F end = omm::select(is_last, omm::splat(1.0f), omm::gather(values, first + omm::select_int(is_last, i, i + 1)));
        return omm::clamp((u - begin) / omm::max(end - begin, omm::splat(1.0e-12f)), 0.0f, 1.0f);
    };
    // A direction in a dome's frame that follows its table; uniform over the solid angle of a cell.
    auto image_direction = [&](const DomeTable& table, V2 u) {
        const I row = last_not_above(table.value, table.first, table.rows, u.y);
        const I first = table.first + row * table.columns + table.rows;
        const I column = last_not_above(table.value, first, table.columns, u.x);
        const F up = share_of_cell(table.value, table.first, table.rows, row, u.y);
        const F along = share_of_cell(table.value, first, table.columns, column, u.x);
        const float row_turns = 0.5f * (1.0f - table.bottom) / (float)table.rows, bottom_turns = 0.5f * table.bottom - 0.25f;
        F low, high, sine, cosine;
        omm::sincos(omm::to_float(row) * row_turns + bottom_turns, low, cosine);
        omm::sincos(omm::to_float(row + 1) * row_turns + bottom_turns, high, cosine);
        const F z = low + (high - low) * up, r = omm::sqrt(omm::max(1.0f - z * z, omm::splat(0.0f)));
        omm::sincos(0.5f - (omm::to_float(column) + along) * (1.0f / (float)table.columns), sine, cosine);
        return V3{r * sine, -r * cosine, z};
    };
    // The density of `image_direction` per solid angle [1/sr], where the image is looked up.
    auto image_density = [&](const DomeTable& table, V2 uv) {
        const F width = omm::splat((float)table.columns), height = omm::splat((float)table.rows);
        const F v = (uv.y - table.bottom) * (1.0f / (1.0f - table.bottom));
        const F column = omm::min(omm::max(uv.x * width, omm::splat(0.0f)), width - 1.0f);
        const F row = omm::min(omm::max(v * height, omm::splat(0.0f)), height - 1.0f);
        const I cell = omm::to_int(row) * table.columns + omm::to_int(column);
        const F density = omm::gather(table.value, table.first + cell + (table.rows + table.rows * table.columns));
        return omm::select(v < 0.0f, omm::splat(0.0f), density);
    };
    // The density per solid angle [1/sr] with which `sample_dome` takes a unit direction above the surface; `uv` is where
    // the dome's image is seen there (`dome_uv`).
    auto dome_density = [&](const auto& lights, const Rows& rows, int light, const Bsdf& bsdf, V3 to_viewer, V3 direction, V2 uv) {
        const F gloss = gloss_share(bsdf), lobes = lobes_density(bsdf, to_viewer, gloss, direction);
        if (!(lights.domes.share.data[light] > 0.0f)) return lobes;
        const F share = image_share(lights, rows, light, bsdf, gloss);
        return lobes + share * (image_density(table_of(lights, rows, light), uv) - lobes);
    };
    // A direction towards a dome or the sky for two uniform numbers, spread as the surface's lobes reflect and as the
    // dome's image shines.
    auto sample_dome = [&](const auto& lights, const Rows& rows, int light, const Bsdf& bsdf, V3 to_viewer, V2 u) {
        const F gloss = gloss_share(bsdf);
        const bool has_pose = lights.texture.data[light] != NO_TEXTURE || lights.kind.data[light] == SKY;
        F pose[12];
        if (has_pose) pose_of(lights, rows, light, pose);
        LightSample out = LightSample{};
        if (lights.domes.share.data[light] > 0.0f) {
            const F share = image_share(lights, rows, light, bsdf, gloss);
            const M is_image = u.x < share;
            const F image_x = omm::select(is_image, u.x / omm::max(share, omm::splat(1.0e-6f)), omm::splat(0.0f));
            const F lobe_x = omm::select(is_image, omm::splat(0.0f), (u.x - share) / (1.0f - share));
            out.direction = sample_lobes(bsdf, to_viewer, gloss, {lobe_x, u.y});
            if (omm::any(is_image)) {
                const V3 d = image_direction(table_of(lights, rows, light), {image_x, u.y});
                out.direction = omm::select3(is_image, {pose[0] * d.x + pose[1] * d.y + pose[2] * d.z, pose[4] * d.x + pose[5] * d.y + pose[6] * d.z,
                                                        pose[8] * d.x + pose[9] * d.y + pose[10] * d.z}, out.direction);
            }
        } else {
            out.direction = sample_lobes(bsdf, to_viewer, gloss, u);
        }
        out.distance_m = omm::splat(DISTANT_M);
        if (has_pose) out.uv = dome_uv(pose, out.direction);
        const F density = dome_density(lights, rows, light, bsdf, to_viewer, out.direction, out.uv);
        const F scale = omm::select(omm::dot(bsdf.normal, out.direction) > 0.0f, 1.0f / density, omm::splat(0.0f));
        out.radiance = omm::scale(vec3_of_row(lights.radiance, rows, light), scale);
        if (lights.kind.data[light] == SKY)
            out.radiance = omm::mul(out.radiance, sky_radiance(lights, rows, into_frame(pose, out.direction)));
        return out;
    };
