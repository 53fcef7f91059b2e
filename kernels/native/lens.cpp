// Where lenses that bend rays send those of a point of the image (kernels/camera.py). Needs lanes.cpp.
//
// The models of OpenCV and of NVIDIA's simulators, inverted: an image shows at a point what a ray meets whose distorted
// direction falls there. Sources: https://docs.opencv.org/4.x/d9/d0c/group__calib3d.html (Brown-Conrady with rational and
// thin prism terms), https://docs.opencv.org/4.x/db/d58/group__calib3d__fisheye.html (Kannala and Brandt, TPAMI 28(8),
// 2006), https://docs.nvidia.com/ncore/data/sensor_models.html (f-theta). engine/lens says the same in float64.

    const int ORTHOGRAPHIC = 1, BROWN_CONRADY = 2, KANNALA_BRANDT = 3, EQUIRECTANGULAR = 4, F_THETA = 5;  // LensModel
    const int LENS_LIMIT = 12;  // a view's values: twelve coefficients, then the largest radius or angle that the lens sees
    const float RADIANS_OF_TURN = 6.28318530717958648f, HALF_TURN_RAD = 3.14159265358979324f;
    const int RADIAL_STEPS = 24, NEWTON_STEPS = 8;  // at most: bisection alone reaches 2^-24; Newton doubles the digits
    const float STILL = 2.5e-7f;  // relative change at which float32 can do no better
    const float OFF_TARGET = 2.0e-5f;  // residual of a point that the distortion does not reach
    const float FLAT_DETERMINANT = 1.0e-4f;  // where the image folds, a pixel's cone grows without bound

    struct LensRay {  // in the camera's frame: x right, y up, looks along -z
        V3 origin, direction;  // direction 0: the lens sends no ray there
        F spread;  // width of the pixel's cone as a share of the distance
    };
    // The r in [0, limit] at which a function that increases there has a value; `at(r, slope)`.
    auto inverse_at = [&](F value, F limit, const auto& at) {
        F low = omm::splat(0.0f), high = limit, r = omm::min(value, limit);
        M done = r < 0.0f, was = done;
        for (int k = 0; k < RADIAL_STEPS; ++k) {
            F slope;
            const F off = at(r, slope) - value;
            low = omm::select(off < 0.0f, r, low);
            high = omm::select(off > 0.0f, r, high);
            const F newton = r - off / slope;
            const F next = omm::select((newton >= low) & (newton <= high), newton, 0.5f * (low + high));
            done = done | (omm::abs(next - r) <= STILL * r);
            r = omm::select(was, r, next);
            was = done;
            if (omm::all(done)) break;
        }
        return r;
    };
    // Brown-Conrady's radial factor of r^2 and its derivative. c: k1 k2 p1 p2 k3 k4 k5 k6 s1 s2 s3 s4.
    auto radial_factor = [&](const F* c, F r2, F& slope) {
        const F below = 1.0f / (1.0f + r2 * (c[5] + r2 * (c[6] + r2 * c[7])));
        const F factor = (1.0f + r2 * (c[0] + r2 * (c[1] + r2 * c[4]))) * below;
        slope = (c[0] + r2 * (2.0f * c[1] + r2 * 3.0f * c[4]) - factor * (c[5] + r2 * (2.0f * c[6] + r2 * 3.0f * c[7]))) * below;
        return factor;
    };
    // The ray whose distorted slopes are x and y (down).
    auto brown_conrady_ray = [&](const F* c, F x, F y) {
        const F limit = c[LENS_LIMIT], radius = omm::sqrt(x * x + y * y);
        auto distorted = [&](F r, F& slope) {
            F bend;
            const F factor = radial_factor(c, r * r, bend);
            slope = factor + 2.0f * r * r * bend;
            return r * factor;
        };
        const F shrink = inverse_at(radius, limit, distorted) / omm::max(radius, omm::splat(1.0e-20f));
        F u = x * shrink, v = y * shrink, determinant = omm::splat(0.0f), off = determinant;
        M done = radius < 0.0f;
        for (int k = 0; k < NEWTON_STEPS; ++k) {  // the tangential and thin prism terms
            F bend;
            const F r2 = u * u + v * v, factor = radial_factor(c, r2, bend);
            const F p1 = c[2], p2 = c[3], prism_x = 2.0f * (c[8] + 2.0f * c[9] * r2), prism_y = 2.0f * (c[10] + 2.0f * c[11] * r2);
            const F off_x = u * factor + 2.0f * p1 * u * v + p2 * (r2 + 2.0f * u * u) + r2 * (c[8] + r2 * c[9]) - x;
            const F off_y = v * factor + p1 * (r2 + 2.0f * v * v) + 2.0f * p2 * u * v + r2 * (c[10] + r2 * c[11]) - y;
            const F mixed = 2.0f * (u * v * bend + p1 * u + p2 * v);
            const F xx = factor + 2.0f * u * u * bend + 2.0f * p1 * v + 6.0f * p2 * u + u * prism_x, xy = mixed + v * prism_x;
            const F yy = factor + 2.0f * v * v * bend + 6.0f * p1 * v + 2.0f * p2 * u + v * prism_y, yx = mixed + u * prism_y;
            const F det = xx * yy - xy * yx;
            determinant = omm::select(done, determinant, det);
            off = omm::select(done, off, omm::max(omm::abs(off_x), omm::abs(off_y)));
            const F step_u = (off_x * yy - off_y * xy) / det, step_v = (off_y * xx - off_x * yx) / det;
            u = omm::select(done, u, u - step_u);
            v = omm::select(done, v, v - step_v);
            done = done | (omm::max(omm::abs(step_u), omm::abs(step_v)) <= STILL * (1.0f + radius));
            if (omm::all(done)) break;
        }
        LensRay out = {omm::vec3(0.0f, 0.0f, 0.0f), {u, omm::splat(0.0f) - v, omm::splat(-1.0f)}, omm::splat(1.0f)};
        const M is_seen = (off <= OFF_TARGET * (1.0f + radius)) & (determinant > 0.0f) & (u * u + v * v <= limit * limit);
        out.direction = omm::select3(is_seen, out.direction, out.origin);
        out.spread = 1.0f / omm::sqrt(omm::max(determinant, omm::splat(FLAT_DETERMINANT)));
        return out;
    };
    // The ray at an angle to the axis, of a point at `radius` in the image; the angle grows there by `slope` a radius.
    auto ray_at_angle = [&](F angle, F slope, F radius, F x, F y, M is_seen) {
        F sine, cosine;
        omm::sincos(angle * (1.0f / RADIANS_OF_TURN), sine, cosine);
        const F share = omm::select(radius > 1.0e-6f, sine / omm::max(radius, omm::splat(1.0e-6f)), slope);
        LensRay out = {omm::vec3(0.0f, 0.0f, 0.0f), {x * share, omm::splat(0.0f) - y * share, omm::splat(0.0f) - cosine}, omm::splat(1.0f)};
        out.direction = omm::select3(is_seen, out.direction, out.origin);
        out.spread = omm::sqrt(omm::max(share * slope, omm::splat(FLAT_DETERMINANT)));  // of the pixel's solid angle
        return out;
    };
    auto kannala_brandt_ray = [&](const F* c, F x, F y) {
        auto distorted = [&](F angle, F& slope) {
            const F a2 = angle * angle;
            slope = 1.0f + a2 * (3.0f * c[0] + a2 * (5.0f * c[1] + a2 * (7.0f * c[2] + a2 * 9.0f * c[3])));
            return angle * (1.0f + a2 * (c[0] + a2 * (c[1] + a2 * (c[2] + a2 * c[3]))));
        };
        const F radius = omm::sqrt(x * x + y * y), limit = c[LENS_LIMIT];
        F slope;
        const M is_seen = radius <= distorted(limit, slope);
        const F angle = inverse_at(radius, limit, distorted);
        distorted(angle, slope);
        return ray_at_angle(angle, 1.0f / omm::max(slope, omm::splat(FLAT_DETERMINANT)), radius, x, y, is_seen);
    };
    auto f_theta_ray = [&](const F* c, F x, F y) {
        const F r = omm::sqrt(x * x + y * y);
        const F angle = r * (c[0] + r * (c[1] + r * (c[2] + r * (c[3] + r * c[4]))));
        const F slope = c[0] + r * (2.0f * c[1] + r * (3.0f * c[2] + r * (4.0f * c[3] + r * 5.0f * c[4])));
        return ray_at_angle(angle, slope, r, x, y, r <= c[LENS_LIMIT]);
    };
    auto equirectangular_ray = [&](F longitude, F down) {
        F sine, cosine, sine_down, cosine_down;
        omm::sincos(longitude * (1.0f / RADIANS_OF_TURN), sine, cosine);
        omm::sincos(down * (1.0f / RADIANS_OF_TURN), sine_down, cosine_down);
        LensRay out = {omm::vec3(0.0f, 0.0f, 0.0f), {cosine_down * sine, omm::splat(0.0f) - sine_down, omm::splat(0.0f) - cosine_down * cosine}, omm::splat(1.0f)};
        const M is_seen = (omm::abs(longitude) <= HALF_TURN_RAD) & (omm::abs(down) <= 0.5f * HALF_TURN_RAD);
        out.direction = omm::select3(is_seen, out.direction, out.origin);
        out.spread = omm::sqrt(omm::max(cosine_down, omm::splat(FLAT_DETERMINANT)));
        return out;
    };
    // The ray of a point at x right and y below the centre, in focal lengths; the spread is that of a focal length of 1.
    auto bent_ray = [&](I model, const F* c, F x, F y) {
        LensRay out = {omm::vec3(0.0f, 0.0f, 0.0f), {x, omm::splat(0.0f) - y, omm::splat(-1.0f)}, omm::splat(1.0f)};
        auto take = [&](M chosen, const LensRay& ray) {
            out.direction = omm::select3(chosen, ray.direction, out.direction);
            out.spread = omm::select(chosen, ray.spread, out.spread);
        };
        const M is_brown = model == BROWN_CONRADY, is_kannala = model == KANNALA_BRANDT, is_theta = model == F_THETA;
        const M is_whole = model == EQUIRECTANGULAR;
        if (omm::any(is_brown)) take(is_brown, brown_conrady_ray(c, x, y));
        if (omm::any(is_kannala)) take(is_kannala, kannala_brandt_ray(c, x, y));
        if (omm::any(is_theta)) take(is_theta, f_theta_ray(c, x, y));
        if (omm::any(is_whole)) take(is_whole, equirectangular_ray(x, y));
        return out;
    };
