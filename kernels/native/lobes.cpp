// Directions spread as the lobes of a surface reflect, and their density. Needs bsdf.cpp and directions.cpp.
// Source: Heitz, "Sampling the GGX distribution of visible normals", JCGT 7(4), 2018, with the spherical caps of Dupuy and
// Benyoub, "Sampling visible GGX normals with spherical caps", CGF 42(8), 2023; one-sample combination after Veach, 1997.

    // A microfacet normal that the viewer sees; both in a frame whose z is the surface's normal.
    auto visible_normal = [&](V3 to_viewer, F alpha, V2 u) {
        const V3 stretched = omm::unit({alpha * to_viewer.x, alpha * to_viewer.y, to_viewer.z});
        F sine, cosine;
        omm::sincos(u.x, sine, cosine);
        const F z = (1.0f - u.y) * (1.0f + stretched.z) - stretched.z;
        const F r = omm::sqrt(omm::clamp(1.0f - z * z, 0.0f, 1.0f));
        const V3 h = omm::add({r * cosine, r * sine, z}, stretched);
        return omm::unit({alpha * h.x, alpha * h.y, omm::max(h.z, omm::splat(1.0e-6f))});
    };
    // The half vector of a sample in the world; `u` as for visible_normal.
    auto sample_half = [&](V3 normal, V3 to_viewer, F alpha, V2 u) {
        V3 t, b;
        omm::basis(normal, t, b);
        const V3 local = {omm::dot(t, to_viewer), omm::dot(b, to_viewer), omm::max(omm::dot(normal, to_viewer), omm::splat(1.0e-3f))};
        const V3 h = visible_normal(omm::unit(local), alpha, u);
        return omm::add(omm::add(omm::scale(t, h.x), omm::scale(b, h.y)), omm::scale(normal, h.z));
    };
    // The density per solid angle [1/sr] of the direction that a visible normal reflects the viewer into.
    auto visible_normal_density = [&](F alpha, F n_dot_h, F n_dot_v) {
        const F a2 = alpha * alpha, d = n_dot_h * n_dot_h * (a2 - 1.0f) + 1.0f;
        return a2 / (PI * d * d) * 0.5f / (n_dot_v + omm::sqrt(a2 + (1.0f - a2) * n_dot_v * n_dot_v));
    };
    // Share of samples that the GGX lobes get, and of those the coat's.
    auto gloss_share = [&](const Bsdf& bsdf) {
        const F gloss = mean_of(bsdf.gloss);
        return gloss / omm::max(gloss + mean_of(bsdf.diffuse), omm::splat(1.0e-6f));
    };
    auto coat_share = [&](const Bsdf& bsdf) { return omm::select(bsdf.coat > 0.0f, omm::splat(0.5f), omm::splat(0.0f)); };
    // A direction for two uniform numbers, given the share of the GGX lobes.
    auto sample_lobes = [&](const Bsdf& bsdf, V3 to_viewer, F share, V2 u) {
        const M is_gloss = u.x < share;
        const F spread = omm::select(is_gloss, omm::splat(0.0f), (u.x - share) / omm::max(1.0f - share, omm::splat(1.0e-6f)));
        V3 out = cosine_direction(bsdf.normal, {spread, u.y});
        if (!omm::any(is_gloss)) return out;
        F along = omm::select(is_gloss, u.x / omm::max(share, omm::splat(1.0e-6f)), omm::splat(0.0f)), alpha = bsdf.alpha;
        if (omm::any(bsdf.coat > 0.0f)) {
            const F part = coat_share(bsdf);
            const M is_coat = along < part;
            alpha = omm::select(is_coat, bsdf.coat_alpha, alpha);
            along = omm::select(is_coat, along / omm::max(part, omm::splat(1.0e-6f)), (along - part) / (1.0f - part));
        }
        const V3 half = sample_half(bsdf.normal, to_viewer, alpha, {along, u.y});
        const V3 mirrored = omm::unit(omm::sub(omm::scale(half, 2.0f * omm::dot(to_viewer, half)), to_viewer));
        return omm::select3(is_gloss, mirrored, out);
    };
    // The density per solid angle [1/sr] of a direction above the surface.
    auto lobes_density = [&](const Bsdf& bsdf, V3 to_viewer, F share, V3 direction) {
        const F cosine = omm::max(omm::dot(bsdf.normal, direction), omm::splat(0.0f));
        F density = (1.0f - share) * cosine * (1.0f / PI);
        if (!omm::any(share > 0.0f)) return density;
        const F n_dot_v = omm::max(omm::dot(bsdf.normal, to_viewer), omm::splat(1.0e-3f));
        const F n_dot_h = omm::clamp(omm::dot(bsdf.normal, omm::unit(omm::add(to_viewer, direction))), 0.0f, 1.0f);
        F gloss = visible_normal_density(bsdf.alpha, n_dot_h, n_dot_v);
        if (omm::any(bsdf.coat > 0.0f)) {
            const F part = coat_share(bsdf), alpha = omm::max(bsdf.coat_alpha, omm::splat(MIN_ALPHA));
            gloss = gloss * (1.0f - part) + part * visible_normal_density(alpha, n_dot_h, n_dot_v);
        }
        return density + omm::select(share > 0.0f, share * gloss, omm::splat(0.0f));
    };
