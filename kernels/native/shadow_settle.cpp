// Shadow rays of a run of pixels as if everything were opaque (kernels/shadow_passage.py). Needs rays.cpp, traverse.cpp and
// traverse_group.cpp. What a ray meets first, in any order, decides about it if that is nothing or on a placement that is
// opaque all over. Distances of rays become what is known: ARRIVES, 0 (blocked), or as they were. A pixel whose rays are all
// known gets its light, slot after slot as in pass_shadow, and SETTLED for the distance of its first ray.
// In:  geometry, opacities, link, part, point. Out: out_rays, out_radiance (added to).

    auto is_opaque = [&](int row, int placement, int group) {
        if (group != ALL_PLACEMENTS && ((const unsigned char*)link.data)[(size_t)group * link.strides[0] + (size_t)placement * link.strides[1]] == 0) return false;
        const int instance = *(const int*)((const char*)geometry.instance.data + (size_t)placement * geometry.instance.strides[0]);
        const char* looks = (const char*)opacities.override.data + (size_t)row * opacities.override.strides[0];
        const int material = *(const int*)(looks + (size_t)instance * opacities.override.strides[1]);
        return (material < 0 ? opacities.own_open.data[placement] : opacities.kind.data[material]) == 0;
    };
    const int end = part.first + part.count, count = out_rays.count.shape[0] > 0 && out_rays.count.data[0] < end ? out_rays.count.data[0] : end;
    for (int i = part.first; i < count; i += OMM_WIDTH) {
        const Point p = load_point(point.value.data, i);
        float* radiance = (float*)(out_radiance.data + i);
        const V3 before = omm::load3(radiance);
        V3 sum = before;
        F unknown = omm::splat(0.0f);
        for (int slot = 0; slot <= out_rays.light_slots; ++slot) {
            const ShadowRay ray = load_ray(out_rays, slot, i);
            const M asked = ray.distance_m > 0.0f;
            if (!omm::any(asked)) continue;
            const F far_m = ray.distance_m * SHORT_OF_LIGHT;
            I met = omm::splat_int(-1);
#if !defined(__CUDA_ARCH__)
            const int left = count - i, lanes = bits_of(asked) & (left < 8 ? (1 << left) - 1 : OMM_ALL);
            if (lanes == 0) continue;
            const int row = p.row[__builtin_ctz(lanes)];
            const bool is_group = out_rays.count.shape[0] == 0 && slot < out_rays.light_slots && (bits_of(p.row != row) & lanes) == 0;
            if (is_group)  // as in shadow.cpp
                met = walk_group(geometry.trees, row, with_twins(p.origin_m, lanes), with_twins(ray.direction, lanes), lanes, omm::select(mask_of(lanes), far_m, omm::splat(0.0f)), true).placement;
#else
            const bool is_group = false;
#endif
            for (int l = 0; !is_group && l < OMM_WIDTH && i + l < count; ++l) {
                if (!omm::get_bool(asked, l)) continue;
                const float from[3] = {omm::get(p.origin_m.x, l), omm::get(p.origin_m.y, l), omm::get(p.origin_m.z, l)};
                const float towards[3] = {omm::get(ray.direction.x, l), omm::get(ray.direction.y, l), omm::get(ray.direction.z, l)};
                omm::set_int(met, l, walk(geometry.trees, omm::get_int(p.row, l), from, towards, 0, omm::get(far_m, l), true).placement);
            }
            F known = omm::select(asked & (met < 0), omm::splat(ARRIVES), ray.distance_m);
            if (omm::any(met >= 0)) {
                const I link_row = load_link(out_rays, slot, i);
                for (int l = 0; l < OMM_WIDTH; ++l) {
                    const int placement = omm::get_int(met, l);
                    if (placement < 0) continue;
                    if (is_opaque(omm::get_int(p.row, l), placement, omm::get_int(link_row, l))) omm::set(known, l, 0.0f);
                    else omm::set(unknown, l, 1.0f);
                }
            }
            sum = omm::select3(known == ARRIVES, omm::add(sum, ray.radiance), sum);
            store_distance(out_rays, slot, i, known);
        }
        const M is_settled = unknown == 0.0f;
        store_distance(out_rays, 0, i, omm::select(is_settled, omm::splat(SETTLED), load_ray(out_rays, 0, i).distance_m));
        omm::store3(radiance, omm::select3(is_settled, sum, before));
    }
