// Where lenses that bend rays show a point (kernels/sight.py), the forward of lens.cpp. Needs lanes.cpp and lens.cpp.
//
// engine/lens/project.py says the same in float64.

    struct LensPoint {
        F right, down;  // of the image's centre, in focal lengths
        F depth;  // parameter of the ray that meets the point: planar or range, as Ray of camera.py has it
        M is_seen;  // a ray of the lens meets it
    };
    // The point at x right, y up and z in the camera's frame, which looks along -z. c: coefficients and limit. Of an
    // equirectangular image only depth and is_seen mean something: near its poles float32 is not enough (sight.py).
    auto bent_point = [&](I model, const F* c, V3 p) {
        const F ahead = omm::splat(0.0f) - p.z, aside = omm::sqrt(p.x * p.x + p.y * p.y), range = omm::length(p);
        LensPoint out = {p.x, omm::splat(0.0f) - p.y, range, range > 0.0f};
        const M is_brown = model == BROWN_CONRADY, is_kannala = model == KANNALA_BRANDT;
        if (omm::any(is_brown)) {
            const F u = p.x / ahead, v = (omm::splat(0.0f) - p.y) / ahead, r2 = u * u + v * v;
            F slope;
            const F factor = radial_factor(c, r2, slope), both = 2.0f * u * v;
            const F x = u * factor + c[2] * both + c[3] * (r2 + 2.0f * u * u) + r2 * (c[8] + r2 * c[9]);
            const F y = v * factor + c[2] * (r2 + 2.0f * v * v) + c[3] * both + r2 * (c[10] + r2 * c[11]);
            out.right = omm::select(is_brown, x, out.right);
            out.down = omm::select(is_brown, y, out.down);
            out.depth = omm::select(is_brown, ahead, out.depth);
            out.is_seen = out.is_seen & (omm::invert(is_brown) | ((ahead > 0.0f) & (r2 <= c[LENS_LIMIT] * c[LENS_LIMIT])));
        }
        const M by_angle = is_kannala | (model == F_THETA);
        if (omm::any(by_angle)) {
            const F angle = omm::atan2(aside, ahead), limit = c[LENS_LIMIT], a2 = angle * angle;
            auto angle_at = [&](F r, F& slope) {
                slope = c[0] + r * (2.0f * c[1] + r * (3.0f * c[2] + r * (4.0f * c[3] + r * 5.0f * c[4])));
                return r * (c[0] + r * (c[1] + r * (c[2] + r * (c[3] + r * c[4]))));
            };
            F slope;
            F radius = angle * (1.0f + a2 * (c[0] + a2 * (c[1] + a2 * (c[2] + a2 * c[3]))));
            M is_seen = angle <= limit;
            if (!omm::all(is_kannala)) {
                radius = omm::select(is_kannala, radius, inverse_at(angle, limit, angle_at));
                is_seen = (is_kannala & is_seen) | (omm::invert(is_kannala) & (angle <= angle_at(limit, slope)));
            }
            const F share = omm::select(aside > 0.0f, radius / omm::max(aside, omm::splat(1.0e-30f)), omm::splat(0.0f));
            out.right = omm::select(by_angle, p.x * share, out.right);
            out.down = omm::select(by_angle, (omm::splat(0.0f) - p.y) * share, out.down);
            out.is_seen = out.is_seen & (omm::invert(by_angle) | is_seen);
        }
        return out;
    };
