// A direction from points towards a light, and the light that arrives from there (kernels/light.py). Needs image.cpp
// and directions.cpp.
// Source: UsdLux, https://openusd.org/release/api/usd_lux_page_front.html; Pharr, Jakob, Humphreys, PBRT 4, chapters 6
// and 12.

    const float DISTANT_M = 1.0e9f;  // of lights at infinity
    const float MIN_RADIUS_M = 1.0e-4f;  // a point light as a sphere that still has a surface

    struct LightSample {  // `radiance` is already divided by the sample's density per solid angle
        V3 direction;
        F distance_m;
        V3 radiance;  // without the light's image
        V2 uv;  // where that is looked up
        F density;  // [1/sr]; 0: the light is no body, and no other sample can find it
    };

    auto point_of = [&](const F* m, F x, F y, F z) {
        return V3{m[0] * x + m[1] * y + m[2] * z + m[3], m[4] * x + m[5] * y + m[6] * z + m[7], m[8] * x + m[9] * y + m[10] * z + m[11]};
    };
    // The sample of a point of an emitting surface with uniform density over its area.
    auto sample_area = [&](V3 p_m, V3 q_m, V3 normal, F area_m2, V3 radiance) {
        const V3 to_light = omm::sub(q_m, p_m);
        const F distance = omm::max(omm::length(to_light), omm::splat(1.0e-6f));
        LightSample out = LightSample{};
        out.direction = omm::scale(to_light, 1.0f / distance);
        out.distance_m = distance;
        const F cos_light = omm::max(-omm::dot(normal, out.direction), omm::splat(0.0f));
        const F solid_angle = area_m2 * cos_light / (distance * distance);
        out.radiance = omm::scale(radiance, solid_angle);
        out.density = omm::select(solid_angle > 0.0f, 1.0f / solid_angle, omm::splat(0.0f));
        return out;
    };
    // A uniform direction of the cone that a sphere fills.
    auto sample_sphere = [&](V3 p_m, V3 center_m, float radius_m, V3 radiance, V2 u) {
        const V3 to_center = omm::sub(center_m, p_m);
        const F d2 = omm::dot(to_center, to_center), sin2 = radius_m * radius_m / omm::max(d2, omm::splat(1.0e-12f));
        const M outside = sin2 < 1.0f;
        const F distance = omm::sqrt(omm::max(d2, omm::splat(1.0e-12f)));
        const F versine = sin2 / (1.0f + omm::sqrt(omm::max(1.0f - sin2, omm::splat(0.0f))));
        LightSample out = LightSample{};
        out.direction = cone_direction(omm::scale(to_center, 1.0f / distance), omm::min(versine, omm::splat(1.0f)), u);
        out.distance_m = omm::select(outside, distance - radius_m, omm::splat(0.0f));
        const F solid_angle = TURN * versine;
        out.radiance = omm::scale(radiance, omm::select(outside, solid_angle, omm::splat(0.0f)));
        out.density = omm::select(outside, 1.0f / solid_angle, omm::splat(0.0f));
        return out;
    };
    // The sample of a point of that part of a cylinder's side that faces the point.
    auto sample_cylinder = [&](V3 p_m, const F* pose, float radius_m, float length_m, V3 radiance, V2 u) {
        const V3 local = into_frame(pose, omm::sub(p_m, {pose[3], pose[7], pose[11]}));
        const F distance_m = omm::sqrt(local.y * local.y + local.z * local.z);
        const M outside = distance_m > radius_m;
        const F half_arc = omm::acos(radius_m / omm::select(outside, distance_m, omm::splat(radius_m)));
        const F angle = omm::atan2(local.z, local.y) + (2.0f * u.y - 1.0f) * half_arc;
        F sine, cosine;
        omm::sincos(angle * (1.0f / TURN), sine, cosine);
        const V3 q = point_of(pose, (u.x - 0.5f) * length_m, cosine * radius_m, sine * radius_m);
        const V3 normal = {pose[1] * cosine + pose[2] * sine, pose[5] * cosine + pose[6] * sine, pose[9] * cosine + pose[10] * sine};
        const F area_m2 = omm::select(outside, half_arc * (2.0f * radius_m * length_m), omm::splat(0.0f));
        return sample_area(p_m, q, normal, area_m2, radiance);
    };
    // A uniform direction of the cone that a distant light fills; without an angle, its irradiance.
    auto sample_distant = [&](V3 axis, float versine, V3 radiance, V2 u) {
        LightSample out = LightSample{};
        out.direction = versine > 0.0f ? cone_direction(axis, omm::splat(versine), u) : axis;
        out.distance_m = omm::splat(DISTANT_M);
        out.radiance = versine > 0.0f ? omm::scale(radiance, omm::splat(TURN * versine)) : radiance;
        out.density = omm::splat(versine > 0.0f ? 1.0f / (TURN * versine) : 0.0f);
        return out;
    };
    // A direction towards a light other than a dome, for two uniform numbers. For who looks at the lit side of a rectangle
    // its image is upright: u towards -X.
    auto sample_light = [&](const auto& lights, const Rows& rows, int light, V3 p_m, V2 u) {
        const int kind = lights.kind.data[light];
        const auto size = lights.size_m.data[light];
        const V3 radiance = vec3_of_row(lights.radiance, rows, light);
        F pose[12];
        pose_of(lights, rows, light, pose);
        const V3 back = {pose[2], pose[6], pose[10]}, center = {pose[3], pose[7], pose[11]};
        LightSample out = LightSample{};
        if (kind == DISTANT) {
            out = sample_distant(back, lights.versine.data[light], radiance, u);
        } else if (kind == SPHERE) {
            out = sample_sphere(p_m, center, size[0] > MIN_RADIUS_M ? size[0] : MIN_RADIUS_M, radiance, u);
        } else if (kind == CYLINDER) {
            out = sample_cylinder(p_m, pose, size[0], size[1], radiance, u);
        } else {
            const V2 d = kind == DISK ? disk_point(u) : V2{(u.x - 0.5f), (u.y - 0.5f)};
            const float x_m = size[0], y_m = kind == DISK ? size[0] : size[1];
            const float area_m2 = kind == DISK ? PI * x_m * x_m : x_m * y_m;
            out = sample_area(p_m, point_of(pose, d.x * x_m, d.y * y_m, omm::splat(0.0f)), omm::negative(back), omm::splat(area_m2), radiance);
            if (kind == RECT) out.uv = {1.0f - u.x, u.y};
            const V3 local = into_frame(pose, omm::sub(p_m, center));
            const M is_near = is_near_rect(local, x_m, y_m);
            if (kind == RECT && omm::any(is_near)) {
                const SeenRect seen = seen_rect(local, x_m, y_m);
                const V2 at = rect_point(seen, u);
                const V3 towards = omm::sub(point_of(pose, at.x + local.x, at.y + local.y, omm::splat(0.0f)), p_m);
                const F distance_m = omm::length(towards);
                out.direction = omm::select3(is_near, omm::scale(towards, 1.0f / distance_m), out.direction);
                out.distance_m = omm::select(is_near, distance_m, out.distance_m);
                out.radiance = omm::select3(is_near, omm::scale(radiance, seen.solid_angle), out.radiance);
                out.density = omm::select(is_near, 1.0f / seen.solid_angle, out.density);
                out.uv.x = omm::select(is_near, 0.5f - (at.x + local.x) * (1.0f / x_m), out.uv.x);
                out.uv.y = omm::select(is_near, 0.5f + (at.y + local.y) * (1.0f / y_m), out.uv.y);
            }
        }
        return out;
    };
