// Which shadow rays of a run of pixels arrive (kernels/shadow.py). Needs traverse.cpp and rays.cpp.
// In:  trees, span, point, rays, thread. Out: out_radiance (added to).

    for (int i = thread * span.run; i < (thread + 1) * span.run && i < span.count; i += OMM_WIDTH) {
        const Point p = load_point(point.value.data, i);
        V3 sum = omm::vec3(0.0f, 0.0f, 0.0f);
        bool is_lit = false;
        for (int slot = 0; slot <= rays.light_slots; ++slot) {
            const ShadowRay ray = load_ray(rays, slot, i);
            const F far_m = ray.distance_m * SHORT_OF_LIGHT;
            M arrives = far_m > 0.0f;
            if (!omm::any(arrives)) continue;
            F open = omm::select(arrives, omm::splat(1.0f), omm::splat(0.0f));
            for (int l = 0; l < OMM_WIDTH && i + l < span.count; ++l) {
                if (!omm::get_bool(arrives, l)) continue;
                const float from[3] = {omm::get(p.origin_m.x, l), omm::get(p.origin_m.y, l), omm::get(p.origin_m.z, l)};
                const float towards[3] = {omm::get(ray.direction.x, l), omm::get(ray.direction.y, l), omm::get(ray.direction.z, l)};
                if (walk(trees, omm::get_int(p.row, l), from, towards, 0, omm::get(far_m, l), true).placement >= 0) omm::set(open, l, 0.0f);
            }
            const M is_open = open > 0.0f;
            sum = omm::select3(is_open, omm::add(sum, ray.radiance), sum);
            is_lit = true;
        }
        if (!is_lit) continue;
        float* radiance = (float*)(out_radiance.data + i);
        omm::store3(radiance, omm::add(omm::load3(radiance), sum));
    }
