// What patterns and defects make of the point of a pixel's centre (kernels/annotate_marked.py). Needs annotate_worn.cpp's
// needs and mark.cpp. In: geometry, patterns, defects.

    const int EFFECTS = EFFECT_COUNT;
    auto wear = [&](const Met& met, const Ray& ray, F width, Point& point, F* share) {
        effects.last = point.bsdf;
        effects.relief = flat_wave(omm::splat(0.0f));
        for (int k = 0; k < EFFECTS; ++k) effects.share[k] = omm::splat(0.0f);
        const F width_m = width * omm::length(ray.direction);
        dress(met, triangle_of(geometry, met, false), width_m, point);
        mark(met, width_m, point);
        for (int k = 0; k < EFFECTS; ++k) share[k] = effects.share[k];
    };
