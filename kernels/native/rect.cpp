// Rectangles seen from nearby, sampled by solid angle: no sample is brighter than the light itself. Needs light.cpp's
// neighbours image.cpp and directions.cpp. Source: Urena, Fajardo, King, "An area-preserving parametrization for spherical
// rectangles", EGSR 2013.

    const float NEAR_AREAS = 8.0f;  // squared distances below so many areas of the light count as near

    struct SeenRect {  // in a frame at the viewer with the light's axes
        F x0, y0, x1, y1, z;  // its borders, and minus the distance of its plane
        F b0, b1, k, solid_angle;
    };
    auto seen_rect = [&](V3 local, float width_m, float height_m) {  // of the viewer, in the light's frame
        SeenRect s;
        s.x0 = -0.5f * width_m - local.x;
        s.x1 = 0.5f * width_m - local.x;
        s.y0 = -0.5f * height_m - local.y;
        s.y1 = 0.5f * height_m - local.y;
        s.z = -omm::max(omm::abs(local.z), omm::splat(1.0e-6f));
        const V3 v00 = {s.x0, s.y0, s.z}, v10 = {s.x1, s.y0, s.z}, v11 = {s.x1, s.y1, s.z}, v01 = {s.x0, s.y1, s.z};
        const V3 n0 = omm::unit(omm::cross(v00, v10)), n1 = omm::unit(omm::cross(v10, v11));
        const V3 n2 = omm::unit(omm::cross(v11, v01)), n3 = omm::unit(omm::cross(v01, v00));
        auto between = [&](V3 a, V3 b) { return omm::acos(-omm::dot(a, b)); };  // inner angles of the spherical quadrilateral
        s.b0 = n0.z;
        s.b1 = n2.z;
        s.k = TURN - between(n2, n3) - between(n3, n0);
        s.solid_angle = omm::max(between(n0, n1) + between(n1, n2) - s.k, omm::splat(1.0e-6f));
        return s;
    };
    // A uniform direction of the solid angle, as the point of the rectangle that it meets, in its plane.
    auto rect_point = [&](const SeenRect& s, V2 u) {
        F sine, cosine;
        omm::sincos((u.x * s.solid_angle + s.k) * (1.0f / TURN), sine, cosine);
        const F fu = (cosine * s.b0 - s.b1) / sine;
        const F cu = omm::clamp(omm::with_sign(1.0f / omm::sqrt(fu * fu + s.b0 * s.b0), fu), -0.999999f, 0.999999f);
        const F x = omm::min(omm::max(-(cu * s.z) / omm::sqrt(1.0f - cu * cu), s.x0), s.x1);
        const F d2 = x * x + s.z * s.z;
        const F h0 = s.y0 / omm::sqrt(d2 + s.y0 * s.y0), h1 = s.y1 / omm::sqrt(d2 + s.y1 * s.y1);
        const F h = h0 + u.y * (h1 - h0), h2 = h * h;
        const F y = omm::select(h2 < 0.999999f, h * omm::sqrt(d2) / omm::sqrt(omm::max(1.0f - h2, omm::splat(1.0e-7f))), s.y1);
        return V2{x, omm::min(omm::max(y, s.y0), s.y1)};
    };
    // Which viewers are near, given where they are in the light's frame: only those in front of it are asked.
    auto is_near_rect = [&](V3 local, float width_m, float height_m) {
        return (omm::dot(local, local) < NEAR_AREAS * width_m * height_m) & (local.z < 0.0f);
    };
