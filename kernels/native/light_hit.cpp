// Where a direction meets a light, as a sample of it (kernels/light.py). Needs light.cpp and lobes.cpp.

    // The distance at which a ray in the frame of a cylinder along x first meets its side; below 0: it does not.
    auto meet_cylinder = [&](V3 at, V3 towards, float radius_m, float length_m) {
        const F a = towards.y * towards.y + towards.z * towards.z, half_b = at.y * towards.y + at.z * towards.z;
        const F inside = half_b * half_b - a * (at.y * at.y + at.z * at.z - radius_m * radius_m);
        const F t = (-half_b - omm::sqrt(omm::max(inside, omm::splat(0.0f)))) / omm::max(a, omm::splat(1.0e-12f));
        const M meets = (inside > 0.0f) & (t > 0.0f) & (omm::abs(at.x + t * towards.x) <= 0.5f * length_m);
        return omm::select(meets, t, omm::splat(-1.0f));
    };
    // The sample of a light other than a dome that has this unit direction; density 0: it does not meet the light.
    auto hit_light = [&](const auto& lights, const Rows& rows, int light, V3 p_m, V3 direction) {
        const int kind = lights.kind.data[light];
        const auto size = lights.size_m.data[light];
        const float versine = lights.versine.data[light];
        const V3 radiance = vec3_of_row(lights.radiance, rows, light);
        F pose[12];
        pose_of(lights, rows, light, pose);
        const V3 back = {pose[2], pose[6], pose[10]}, center = {pose[3], pose[7], pose[11]};
        const V3 to_center = omm::sub(center, p_m);
        LightSample out = LightSample{};
        out.direction = direction;
        F solid_angle = omm::splat(0.0f);
        if (kind == DISTANT) {
            const V3 gap = omm::sub(direction, back);  // |gap|^2 = 2 (1 - cos), which keeps its digits
            solid_angle = omm::select(omm::dot(gap, gap) <= 2.0f * versine, omm::splat(TURN * versine), solid_angle);
            out.distance_m = omm::splat(DISTANT_M);
        } else if (kind == SPHERE) {
            const float radius_m = size[0] > MIN_RADIUS_M ? size[0] : MIN_RADIUS_M;
            const F d2 = omm::dot(to_center, to_center), along = omm::dot(to_center, direction);
            const V3 aside = omm::sub(to_center, omm::scale(direction, along));
            const M meets = (along > 0.0f) & (omm::dot(aside, aside) <= radius_m * radius_m) & (d2 > radius_m * radius_m);
            const F sin2 = radius_m * radius_m / omm::max(d2, omm::splat(1.0e-12f));
            const F share = sin2 / (1.0f + omm::sqrt(omm::max(1.0f - sin2, omm::splat(0.0f))));
            solid_angle = omm::select(meets, TURN * share, solid_angle);
            out.distance_m = omm::select(meets, omm::sqrt(d2) - radius_m, omm::splat(0.0f));
        } else if (kind == CYLINDER) {
            const V3 at = into_frame(pose, omm::negative(to_center)), towards = into_frame(pose, direction);
            const F t = meet_cylinder(at, towards, size[0], size[1]);
            const F distance_m = omm::sqrt(at.y * at.y + at.z * at.z);
            const M meets = (t > 0.0f) & (distance_m > size[0]);
            const F half_arc = omm::acos(size[0] / omm::select(meets, distance_m, omm::splat(size[0])));
            const F y = at.y + t * towards.y, z = at.z + t * towards.z;
            const F cos_light = omm::max(-(y * towards.y + z * towards.z) / size[0], omm::splat(1.0e-6f));
            solid_angle = omm::select(meets, half_arc * (2.0f * size[0] * size[1]) * cos_light / (t * t), solid_angle);
            out.distance_m = t;
        } else {
            const F cos_light = omm::dot(back, direction);
            const F t = omm::dot(to_center, back) / omm::select(cos_light > 0.0f, cos_light, omm::splat(1.0f));
            const V3 at = into_frame(pose, omm::sub(omm::scale(direction, t), to_center));
            const bool is_disk = kind == DISK;
            const M inside = is_disk ? at.x * at.x + at.y * at.y <= size[0] * size[0]
                                     : (omm::abs(at.x) <= 0.5f * size[0]) & (omm::abs(at.y) <= 0.5f * size[1]);
            const float area_m2 = is_disk ? PI * size[0] * size[0] : size[0] * size[1];
            const M meets = inside & (cos_light > 0.0f) & (t > 0.0f);
            solid_angle = omm::select(meets, area_m2 * cos_light / omm::max(t * t, omm::splat(1.0e-12f)), solid_angle);
            out.distance_m = t;
            const V3 local = into_frame(pose, omm::negative(to_center));
            const M is_near = is_near_rect(local, size[0], size[1]);
            if (!is_disk && omm::any(is_near))
                solid_angle = omm::select(meets & is_near, seen_rect(local, size[0], size[1]).solid_angle, solid_angle);
            if (!is_disk) out.uv = {0.5f - at.x * (1.0f / size[0]), 0.5f + at.y * (1.0f / size[1])};
        }
        const M meets = solid_angle > 0.0f;
        out.density = omm::select(meets, 1.0f / solid_angle, omm::splat(0.0f));
        out.radiance = omm::scale(radiance, solid_angle);
        return out;
    };
    // Share of a light's samples that go where narrow gloss looks: the more, the narrower it is and the larger the light.
    auto lobe_share = [&](const auto& lights, const Rows& rows, int light, const Bsdf& bsdf, V3 p_m) {
        F alpha = omm::select(bsdf.coat > 0.0f, omm::min(bsdf.alpha, bsdf.coat_alpha), bsdf.alpha);
        const M is_narrow = alpha < NARROW_ALPHA;
        if (!omm::any(is_narrow)) return omm::splat(0.0f);
        alpha = omm::max(alpha, omm::splat(MIN_ALPHA));
        F angle = omm::sqrt(omm::splat(2.0f * lights.versine.data[light]));
        if (lights.kind.data[light] != DISTANT) {
            const auto size = lights.size_m.data[light];
            const float reach_m = size[0] > size[1] ? size[0] : size[1];
            const V3 to_light = {of_row(lights.world_from_light, rows, light, 3) - p_m.x, of_row(lights.world_from_light, rows, light, 7) - p_m.y,
                                 of_row(lights.world_from_light, rows, light, 11) - p_m.z};
            angle = reach_m / omm::max(omm::length(to_light), omm::splat(1.0e-6f));
        }
        const F wide = omm::min(angle / alpha, omm::splat(1.0f));
        const F share = MOST_LOBE_SHARE * gloss_share(bsdf) * wide * wide * (1.0f - alpha * (1.0f / NARROW_ALPHA));
        return omm::select(is_narrow, share, omm::splat(0.0f));
    };
    // A direction towards a light other than a dome: from its body, or from where narrow gloss looks (Veach 1997).
    auto sample_seen_light = [&](const auto& lights, const Rows& rows, int light, const Bsdf& bsdf, V3 to_viewer, V3 p_m, V2 u) {
        const F share = lobe_share(lights, rows, light, bsdf, p_m);
        if (!omm::any(share > 0.0f)) return sample_light(lights, rows, light, p_m, u);
        const M is_lobe = u.x < share;
        const F along = omm::select(is_lobe, u.x / omm::max(share, omm::splat(1.0e-6f)), (u.x - share) / (1.0f - share));
        LightSample out = sample_light(lights, rows, light, p_m, {along, u.y});
        if (omm::any(is_lobe)) {
            const V3 direction = sample_lobes(bsdf, to_viewer, omm::splat(1.0f), {along, u.y});
            const LightSample found = hit_light(lights, rows, light, p_m, direction);
            out.direction = omm::select3(is_lobe, direction, out.direction);
            out.distance_m = omm::select(is_lobe, found.distance_m, out.distance_m);
            out.radiance = omm::select3(is_lobe, found.radiance, out.radiance);
            out.uv = {omm::select(is_lobe, found.uv.x, out.uv.x), omm::select(is_lobe, found.uv.y, out.uv.y)};
            out.density = omm::select(is_lobe, found.density, out.density);
        }
        const F all = (1.0f - share) * out.density + share * lobes_density(bsdf, to_viewer, omm::splat(1.0f), out.direction);
        out.radiance = omm::scale(out.radiance, omm::select(out.density > 0.0f, out.density / all, omm::splat(0.0f)));
        return out;
    };
