// Light on what rays under way have met (kernels/path_light.py). Needs shade.cpp, path.cpp and path_sequence.cpp.
// In:  views, lights, sampling, bounce, thread. Out: out_rays, out_ends.

    // What a ray meets of lights' bodies before it meets a surface, for lanes that are asked.
    auto bodies_met = [&](const Path& path, const Rows& rows, F reach_m, M asked) {
        V3 sum = black;
        for (int light = 0; light < lights.count; ++light) {
            const int kind = lights.kind.data[light];
            if (kind == DOME || (kind == DISTANT && !(lights.versine.data[light] > 0.0f))) continue;
            const LightSample met = hit_light(lights, rows, light, path.origin, path.direction);
            const M counts = asked & (met.density > 0.0f) & (met.distance_m < reach_m);
            if (!omm::any(counts)) continue;
            V3 radiance = omm::scale(met.radiance, met.density);
            const auto control = lights.control.data[light];
            if (control.shaping != NO_SHAPING) {
                F pose[12];
                pose_of(lights, rows, light, pose);
                radiance = omm::mul(radiance, shape_factor(lights.shapings, control.shaping, into_frame(pose, path.direction)));
            }
            if (lights.texture.data[light] != NO_TEXTURE)
                radiance = omm::mul(radiance, image_radiance(lights, light, met.uv, omm::splat(IMAGE_FOOTPRINT), counts));
            sum = omm::add(sum, omm::select3(counts, radiance, black));
        }
        return sum;
    };
    const auto& paths = bounce.paths;
    const int end = paths.count.data[0], run = bounce.run;
    for (int i = thread * run; i < (thread + 1) * run && i < end; i += OMM_WIDTH) {
        const Point p = load_point(out_ends.point.value.data, i);
        Path path = load_path(paths, i);
        for (int l = end - i; l < OMM_WIDTH; ++l) {  // beyond the last path: what memory held
            omm::set_int(path.row, l, omm::get_int(path.row, 0));
            omm::set_int(path.view, l, omm::get_int(path.view, 0));
        }
        const M counts = omm::lanes() < omm::splat_int(end - i);
        const M lit = counts & (p.lit != 0);
        const Rows rows = rows_of_paths(path);
        V3 added = p.bsdf.emission;
        const M sees = counts & (path.sees_lights != 0);
        if (omm::any(sees)) {
            const M is_open = sees & ((path.sees_lights & SEES_DOMES) != 0) & (p.placement == MISS);
            if (lights.dome_count > 0 && omm::any(is_open))
                added = omm::select3(is_open, omm::add(added, background(lights, rows, path.direction, path.spread * (1.0f / TURN), is_open)), added);
            const M bodies = sees & ((path.sees_lights & SEES_BODIES) != 0);
            const F reach_m = omm::select(p.lit != 0, omm::length(omm::sub(p.position_m, path.origin)), omm::splat(ENDLESS_M));
            if (omm::any(bodies)) added = omm::add(added, bodies_met(path, rows, reach_m, bodies));
        }
        if (omm::any(lit)) {
            const Pixels pixels = pixels_of_paths(path);
            const U n = path_index(views, pixels, path.curve, sampling.sample_count, sampling.sample, 2 * bounce.depth);
            const V3 u = {path_number(n, views.light_shift, pixels, 0, 2 * bounce.depth), path_number(n, views.light_shift, pixels, 1, 2 * bounce.depth),
                          path_number(n, views.light_shift, pixels, 2, 2 * bounce.depth)};
            added = omm::add(added, omm::select3(lit, light_slot(0, i, p, rows, lit, omm::splat(1.0f), u), black));
        } else {
            store_no_ray(out_rays, 0, i);
        }
        if (out_rays.light_slots > 0) store_no_ray(out_rays, 1, i);  // that of the ambient term, which paths have none of
        for (int l = 0; l < OMM_WIDTH && i + l < end; ++l)
            out_ends.arrived.data[i + l] = wp::vec3(omm::get(added.x, l), omm::get(added.y, l), omm::get(added.z, l));
    }
