// Points and directions for two uniform numbers each. Needs lanes.cpp. Source: Pharr, Jakob, Humphreys, PBRT 4, A.5.

    // A uniform point of the unit disk.
    auto disk_point = [&](V2 u) {
        F sine, cosine;
        omm::sincos(u.y, sine, cosine);
        const F r = omm::sqrt(u.x);
        return V2{r * cosine, r * sine};
    };
    auto around = [&](V3 axis, F x, F y, F z) {
        V3 t, b;
        omm::basis(axis, t, b);
        return omm::add(omm::add(omm::scale(t, x), omm::scale(b, y)), omm::scale(axis, z));
    };
    // A direction around a unit normal with density cos / pi.
    auto cosine_direction = [&](V3 n, V2 u) {
        const V2 p = disk_point(u);
        return around(n, p.x, p.y, omm::sqrt(omm::max(1.0f - p.x * p.x - p.y * p.y, omm::splat(0.0f))));
    };
    // A uniform direction of a cone, given 1 - cos of its half angle.
    auto cone_direction = [&](V3 axis, F versine, V2 u) {
        F sine, cosine;
        omm::sincos(u.y, sine, cosine);
        const F v = u.x * versine, s = omm::sqrt(v * (2.0f - v));
        return around(axis, s * cosine, s * sine, 1.0f - v);
    };
