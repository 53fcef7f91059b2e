// A run of groups through the lens (kernels/sensor_lens.py): lateral colour and the fall of light towards the corners.
// Needs sensor_group.cpp. In: views, sensor, groups, light, thread. Out: out_light.

    const float width = (float)groups.width, height = (float)groups.height;
    const float per_half_diagonal2 = 4.0f / (width * width + height * height);
    for (int i = thread * groups.run; i < (thread + 1) * groups.run && i < groups.count; ++i) {
        const Group g = group_of(groups, groups.first + i);
        const float* center = (const float*)(views.center_px.data + g.view);
        const float* focal = (const float*)(views.focal_px.data + g.view);
        const F dx = omm::to_float(g.x) + (0.5f - center[0]);
        const float dy = (float)g.y + 0.5f - center[1];
        V3 seen = load_group3(light.data, g);
        // A channel that is magnified by m shows at p what the lens would show at p / m; between pixels: bilinear.
        auto magnified = [&](float more, int channel, F own) {
            const float shrink = 1.0f / (1.0f + more * view_value(views, g.view, ABERRATION));
            if (shrink == 1.0f) return own;
            const F x = omm::clamp(dx * shrink + (center[0] - 0.5f), 0.0f, width - 1.0f);
            const float y_px = dy * shrink + (center[1] - 0.5f), y = y_px < 0.0f ? 0.0f : (y_px > height - 1.0f ? height - 1.0f : y_px);
            const I x0 = omm::to_int(x);
            const int y0 = (int)y, y1 = clamp_index(y0 + 1, groups.height);
            const F fx = x - omm::to_float(x0);
            const float fy = y - (float)y0;
            const I x1 = omm::select_int(x0 > groups.width - 2, x0, x0 + 1);
            const float* first = (const float*)(light.data + (size_t)g.view * groups.height * groups.width) + channel;
            const float* above = first + 3 * (size_t)y0 * groups.width;
            const float* below = first + 3 * (size_t)y1 * groups.width;
            const F upper = omm::gather(above, x0 * 3) * (1.0f - fx) + omm::gather(above, x1 * 3) * fx;
            const F lower = omm::gather(below, x0 * 3) * (1.0f - fx) + omm::gather(below, x1 * 3) * fx;
            return upper * (1.0f - fy) + lower * fy;
        };
        seen.x = magnified(sensor.aberration[0], 0, seen.x);
        seen.z = magnified(sensor.aberration[1], 2, seen.z);
        const F r2 = dx * dx + dy * dy, rho2 = r2 * per_half_diagonal2;
        const float strength = view_value(views, g.view, VIGNETTING);
        F passed = 1.0f + strength * (rho2 * (sensor.vignetting[0] + rho2 * (sensor.vignetting[1] + rho2 * sensor.vignetting[2])));
        passed = omm::max(passed, omm::splat(0.0f));
        const int lens = views.lens.data[g.view];
        if (sensor.natural != 0.0f && (lens == PINHOLE || lens == BROWN_CONRADY)) {  // others have no image plane
            const F tan_x = dx / focal[0];
            const float tan_y = dy / focal[1];
            const F cos2 = 1.0f / (1.0f + tan_x * tan_x + tan_y * tan_y);
            passed = passed * omm::pow(cos2, omm::splat(2.0f * sensor.natural));
        }
        store_group3(out_light.data, g, omm::scale(seen, passed));
    }
