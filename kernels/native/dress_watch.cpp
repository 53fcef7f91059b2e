// What the layers of patterns did to the present point, for the annotator `effect` (kernels/annotate_pattern.py). Needs
// noise.cpp and point.cpp.

    struct Effects {
        Bsdf last;  // what the layers so far left
        Wave relief;
        F share[EFFECT_COUNT];  // of the point that each covers
    };
    Effects effects;
    auto differs = [](V3 a, V3 b) { return (a.x != b.x) | (a.y != b.y) | (a.z != b.z); };
    // What covers a share but changes nothing, since both look the same, is not there; what changes anything is, however
    // little it covers.
    auto watch = [&](int kind, M who, F covered, const Bsdf& now, const Wave& height) {
        const Bsdf& last = effects.last;
        const M changed = differs(last.diffuse, now.diffuse) | differs(last.f0, now.f0) | differs(last.f90, now.f90) | differs(last.gloss, now.gloss)
                          | (last.alpha != now.alpha) | (last.coat != now.coat) | differs(effects.relief.d, height.d) | (effects.relief.rough != height.rough);
        effects.share[kind] = omm::select(who & changed, omm::clamp(covered, 1.0f / 255.0f, 1.0f), omm::splat(0.0f));
        effects.last = now;
        effects.relief = height;
    };
