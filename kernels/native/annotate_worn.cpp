// What patterns make of the point of a pixel's centre, and the share of it that each of their effects covers
// (kernels/annotate_pattern.py). Needs find.cpp, dress_watch.cpp and dress.cpp. In: geometry, patterns.

    const int EFFECTS = EFFECT_COUNT;
    auto wear = [&](const Met& met, const Ray& ray, F width, Point& point, F* share) {
        effects.last = point.bsdf;
        effects.relief = flat_wave(omm::splat(0.0f));
        for (int k = 0; k < EFFECTS; ++k) effects.share[k] = omm::splat(0.0f);
        dress(met, triangle_of(geometry, met, false), width * omm::length(ray.direction), point);
        for (int k = 0; k < EFFECTS; ++k) share[k] = effects.share[k];
    };
