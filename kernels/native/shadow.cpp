// Which shadow rays of a run of pixels arrive (kernels/shadow.py). Needs rays.cpp, traverse.cpp and traverse_group.cpp,
// and `keep_light`, which is told how much light of lights arrives at pixels.
// In:  trees, span, point, rays, thread. Out: out_radiance (added to).

    const int count = rays.count.shape[0] > 0 && rays.count.data[0] < span.count ? rays.count.data[0] : span.count;
    for (int i = thread * span.run; i < (thread + 1) * span.run && i < count; i += OMM_WIDTH) {
        const Point p = load_point(point.value.data, i);
        V3 sum = omm::vec3(0.0f, 0.0f, 0.0f);
        bool is_lit = false;
        F expected = omm::splat(0.0f), arrived = expected;  // luminance from lights: without shadows, and with them
        auto count_light = [&](int slot, M asked, M is_open, V3 radiance) {
            if (slot == rays.light_slots) return;  // the ambient term is none
            const F size = omm::select(asked, 0.2126f * radiance.x + 0.7152f * radiance.y + 0.0722f * radiance.z, omm::splat(0.0f));
            expected = expected + size;
            arrived = arrived + omm::select(is_open, size, omm::splat(0.0f));
        };
        for (int slot = 0; slot <= rays.light_slots; ++slot) {
            const ShadowRay ray = load_ray(rays, slot, i);
            const F far_m = ray.distance_m * SHORT_OF_LIGHT;
            M arrives = far_m > 0.0f;
            if (!omm::any(arrives)) continue;
            F open = omm::select(arrives, omm::splat(1.0f), omm::splat(0.0f));
            is_lit = true;
#if !defined(__CUDA_ARCH__)
            const int left = count - i, asked = bits_of(arrives) & (left < 8 ? (1 << left) - 1 : OMM_ALL);
            if (asked == 0) continue;
            const int row = p.row[__builtin_ctz(asked)];
            // From neighbours to a light a group goes together; rays of the ambient term and of bounced paths do not.
            if (rays.count.shape[0] == 0 && slot < rays.light_slots && (bits_of(p.row != row) & asked) == 0) {
                const Bests best = walk_group(trees, row, with_twins(p.origin_m, asked), with_twins(ray.direction, asked), asked, omm::select(mask_of(asked), far_m, omm::splat(0.0f)), true);
                sum = omm::select3(mask_of(asked) & (best.placement < 0), omm::add(sum, ray.radiance), sum);
                count_light(slot, mask_of(asked), best.placement < 0, ray.radiance);
                continue;
            }
#endif
            for (int l = 0; l < OMM_WIDTH && i + l < count; ++l) {
                if (!omm::get_bool(arrives, l)) continue;
                const float from[3] = {omm::get(p.origin_m.x, l), omm::get(p.origin_m.y, l), omm::get(p.origin_m.z, l)};
                const float towards[3] = {omm::get(ray.direction.x, l), omm::get(ray.direction.y, l), omm::get(ray.direction.z, l)};
                if (walk(trees, omm::get_int(p.row, l), from, towards, 0, omm::get(far_m, l), true).placement >= 0) omm::set(open, l, 0.0f);
            }
            const M is_open = open > 0.0f;
            sum = omm::select3(is_open, omm::add(sum, ray.radiance), sum);
            count_light(slot, arrives, is_open, ray.radiance);
        }
        keep_light(i, count, expected, arrived);
        if (!is_lit) continue;
        float* radiance = (float*)(out_radiance.data + i);
        omm::store3(radiance, omm::add(omm::load3(radiance), sum));
    }
