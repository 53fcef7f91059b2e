// What patterns make of the point of a pixel's centre, and the share of it that each of their effects covers
// (kernels/annotate_pattern.py). Needs find.cpp and dress.cpp. In: geometry, patterns.

    const int EFFECTS = EFFECT_COUNT;
    auto differs = [](V3 a, V3 b) { return (a.x != b.x) | (a.y != b.y) | (a.z != b.z); };
    // `share` begins as zeros. What covers a share but changes nothing, since both look the same, is not there; what
    // changes anything is, however little it covers.
    auto wear = [&](const Met& met, const Ray& ray, F width, Point& point, F* share) {
        Bsdf last = point.bsdf;
        Wave relief = flat_wave(omm::splat(0.0f));
        auto watch = [&](int kind, M who, F covered, const Bsdf& now, const Wave& height) {
            const M changed = differs(last.diffuse, now.diffuse) | differs(last.f0, now.f0) | differs(last.f90, now.f90) | differs(last.gloss, now.gloss)
                              | (last.alpha != now.alpha) | (last.coat != now.coat) | differs(relief.d, height.d) | (relief.rough != height.rough);
            share[kind] = omm::select(who & changed, omm::clamp(covered, 1.0f / 255.0f, 1.0f), share[kind]);
            last = now;
            relief = height;
        };
        dress(met, triangle_of(geometry, met, false), width * omm::length(ray.direction), point, watch);
    };
