// Light on the points of a run of pixels: what arrives for certain, and the shadow rays that decide about the rest
// (kernels/shade.py). Needs dome.cpp, shaping.cpp, sequence.cpp and rays.cpp.
// In:  views, lights, sampling, point, thread. Out: out_rays, out_radiance (added to).

    const int NO_SHAPING = -1, MISS = -1;
    const float LEAST_REACH_M = 1.0e-6f;  // of a shadow ray: a length of 0 would say that there is nothing to ask
    const float IMAGE_FOOTPRINT = 0.01f;  // of a rectangle's image that a sample blurs over: less noise, no visible bias
    const float ENDLESS_M = 1.0e30f;

    struct Arrival {  // a shadow ray and what arrives if nothing blocks it
        V3 direction;
        F distance_m;
        V3 radiance;
    };
    const V3 black = omm::vec3(0.0f, 0.0f, 0.0f);
    const F zero = omm::splat(0.0f);

    // A ray towards a light and the radiance that it would send to the viewer if nothing blocks it.
    auto arrival_of = [&](int light, const Point& p, const Rows& rows, M asked, V2 u) {
        const auto control = lights.control.data[light];
        const bool is_dome = lights.kind.data[light] == DOME || lights.kind.data[light] == SKY;
        LightSample sample = is_dome ? sample_dome(lights, rows, light, p.bsdf, p.to_viewer, u) : sample_seen_light(lights, rows, light, p.bsdf, p.to_viewer, p.position_m, u);
        if (!is_dome && control.shaping != NO_SHAPING) {
            F pose[12];
            pose_of(lights, rows, light, pose);
            sample.radiance = omm::mul(sample.radiance, shape_factor(lights.shapings, control.shaping, into_frame(pose, sample.direction)));
        }
        const F cosine = omm::dot(p.bsdf.normal, sample.direction);
        M arrives = asked & (cosine > 0.0f) & (omm::dot(p.face_normal, sample.direction) > 0.0f);
        if (control.lit != ALL_PLACEMENTS) {
            I lit = omm::splat_int(0);
            for (int l = 0; l < OMM_WIDTH; ++l)
                omm::set_int(lit, l, lights.link.data[control.lit * lights.link.shape[1] + (omm::get_bool(asked, l) ? omm::get_int(p.placement, l) : 0)]);
            arrives = arrives & (lit != 0);
        }
        Arrival out = {sample.direction, sample.distance_m, black};
        if (!omm::any(arrives)) return out;
        const V3 scattered = evaluate(p.bsdf, p.to_viewer, sample.direction, control.lobes[0], control.lobes[1]);
        V3 radiance = omm::scale(omm::mul(sample.radiance, scattered), cosine);
        if (lights.texture.data[light] != NO_TEXTURE)
            radiance = omm::mul(radiance, image_radiance(lights, light, sample.uv, omm::splat(is_dome ? DOME_FOOTPRINT : IMAGE_FOOTPRINT), arrives));
        out.radiance = omm::select3(arrives, radiance, black);
        return out;
    };
    // How far from the point something shades it, for a uniform number: fading is a random length. An occluder at t then
    // shades with probability ((reach - t) / fade)^gamma, which is UsdLuxShadowAPI's falloff.
    auto shadow_length = [&](V3 reach, F distance_m, F u) {
        F length_m = reach.x;
        if (omm::any(reach.y > 0.0f)) length_m = length_m - omm::select(reach.y > 0.0f, reach.y * omm::pow(u, reach.z), zero);
        return omm::min(omm::max(length_m * (1.0f / SHORT_OF_LIGHT), omm::splat(LEAST_REACH_M)), distance_m);
    };
    // Write the ray of a slot whose turn it is; return the light that arrives through any shadow.
    auto light_slot = [&](int slot, int i, const Point& p, const Rows& rows, M asked, F stride, V3 u) {
        V3 unshadowed = black;
        Arrival kept = {black, zero, black};
        V3 kept_reach = omm::vec3(ENDLESS_M, 0.0f, 1.0f);
        I kept_link = omm::splat_int(ALL_PLACEMENTS);
        F kept_size = zero, total = zero, choice = u.z;
        for (int light = slot; light < lights.count; light += out_rays.light_slots) {
            Arrival found = arrival_of(light, p, rows, asked, {u.x, u.y});
            const auto control = lights.control.data[light];
            const auto open = control.shadow_color;
            const V3 open_share = omm::vec3(open[0], open[1], open[2]);
            unshadowed = omm::add(unshadowed, omm::scale(omm::mul(found.radiance, open_share), stride));
            found.radiance = omm::mul(found.radiance, omm::vec3(1.0f - open[0], 1.0f - open[1], 1.0f - open[2]));
            const F size = mean_of(found.radiance);
            const M counts = size > 0.0f;
            total = total + omm::select(counts, size, zero);
            const F share = omm::select(counts, size / total, zero);
            const M taken = counts & (choice < share);
            const F left = (choice - share) / omm::select(share < 1.0f, 1.0f - share, omm::splat(1.0f));
            choice = omm::select(taken, choice / share, omm::select(counts, left, choice));
            kept.direction = omm::select3(taken, found.direction, kept.direction);
            kept.distance_m = omm::select(taken, found.distance_m, kept.distance_m);
            kept.radiance = omm::select3(taken, found.radiance, kept.radiance);
            kept_size = omm::select(taken, size, kept_size);
            const auto reach = control.shadow_reach;
            const F reach_m = omm::splat(reach[0] < ENDLESS_M ? reach[0] : ENDLESS_M);
            kept_reach = omm::select3(taken, {reach_m, omm::splat(reach[1]), omm::splat(reach[2])}, kept_reach);
            kept_link = omm::select_int(taken, omm::splat_int(control.shading), kept_link);
        }
        const M is_kept = kept_size > 0.0f;
        const F length_m = omm::select(is_kept, shadow_length(kept_reach, kept.distance_m, choice), zero);
        const F weight = omm::select(is_kept, stride * total / kept_size, zero);
        store_ray(out_rays, slot, i, kept.direction, length_m, omm::scale(kept.radiance, weight), kept_link);
        return unshadowed;
    };
    // Write the ray of the ambient term, with cosine density, where it is its turn; return what arrives in any case.
    auto ambient_slot = [&](int i, const Point& p, const Pixels& pixels, const Rows& rows, M asked, M lit, F stride, U n) {
        const int slot = out_rays.light_slots;
        const V3 radiance = {of_row(lights.ambient, rows, 0, 0), of_row(lights.ambient, rows, 0, 1), of_row(lights.ambient, rows, 0, 2)};
        if (!out_rays.has_ambient || !omm::any((radiance.x + radiance.y + radiance.z) > 0.0f)) {
            store_no_ray(out_rays, slot, i);
            return black;
        }
        const V3 albedo = omm::add(p.bsdf.diffuse, p.bsdf.gloss);
        const V3 all = omm::select3(lit, omm::mul(radiance, albedo), black);
        if (!(lights.ambient_reach_m > 0.0f)) {  // nothing is near enough to keep it away
            store_no_ray(out_rays, slot, i);
            return all;
        }
        if (!omm::any(asked)) {
            store_no_ray(out_rays, slot, i);
        } else {
            const V2 u = {sequence_number(n, views.ambient_shift, pixels, 0), sequence_number(n, views.ambient_shift, pixels, 1)};
            const F reach_m = omm::select(asked, omm::splat(lights.ambient_reach_m), zero);
            const V3 rest = omm::scale(all, (1.0f - AMBIENT_OPEN_SHARE) * stride);
            store_ray(out_rays, slot, i, cosine_direction(p.bsdf.normal, u), reach_m, rest, omm::splat_int(ALL_PLACEMENTS));
        }
        return omm::scale(all, omm::splat(AMBIENT_OPEN_SHARE));
    };
