// Lambert and GGX lobes under Fresnel's law, with a clear coat (kernels/material.py). Needs point.cpp.
// Source: Walter et al., "Microfacet models for refraction through rough surfaces", EGSR 2007; Heitz, JCGT 3(2), 2014
// (height-correlated Smith). How the layers share energy is decided where a material is evaluated (energy.cpp).

    const float PI = 3.14159265358979324f;

    // How far reflectance has gone from that of normal incidence to that of a grazing angle (Schlick 1994).
    auto schlick_weight = [&](F cos_half) {
        const F m = omm::clamp(1.0f - cos_half, 0.0f, 1.0f), m2 = m * m;
        return m2 * m2 * m;
    };
    // D G / (4 cos cos) of the GGX lobe [1/sr].
    auto ggx = [&](F alpha, F n_dot_h, F n_dot_v, F n_dot_l) {
        const F a2 = alpha * alpha, d = n_dot_h * n_dot_h * (a2 - 1.0f) + 1.0f;
        const F shadow_v = n_dot_l * omm::sqrt(n_dot_v * n_dot_v * (1.0f - a2) + a2);
        const F shadow_l = n_dot_v * omm::sqrt(n_dot_l * n_dot_l * (1.0f - a2) + a2);
        return a2 * 0.5f / (PI * d * d * omm::max(shadow_v + shadow_l, omm::splat(1.0e-7f)));
    };
    // Scattered radiance per irradiance [1/sr], without the cosine, which must be positive. `diffuse` and `specular` are
    // factors on the two lobes.
    auto evaluate = [&](const Bsdf& bsdf, V3 to_viewer, V3 to_light, float diffuse, float specular) {
        const F n_dot_l = omm::dot(bsdf.normal, to_light);
        const F n_dot_v = omm::max(omm::dot(bsdf.normal, to_viewer), omm::splat(1.0e-3f));
        const V3 half = omm::unit(omm::add(to_viewer, to_light));
        const F n_dot_h = omm::clamp(omm::dot(bsdf.normal, half), 0.0f, 1.0f);
        const F weight = schlick_weight(omm::clamp(omm::dot(to_viewer, half), 0.0f, 1.0f));
        const V3 fresnel = omm::add(bsdf.f0, omm::scale(omm::sub(bsdf.f90, bsdf.f0), weight));
        const V3 gloss = omm::scale(fresnel, specular * ggx(bsdf.alpha, n_dot_h, n_dot_v, n_dot_l));
        V3 value = omm::add(omm::scale(bsdf.diffuse, omm::splat(diffuse / PI)), gloss);
        if (omm::any(bsdf.coat > 0.0f)) {
            const F coat = bsdf.coat * (bsdf.coat_f0 + (1.0f - bsdf.coat_f0) * weight);
            const F alpha = omm::select(bsdf.coat > 0.0f, bsdf.coat_alpha, omm::splat(1.0f));
            value = omm::add(value, omm::same(coat * specular * ggx(alpha, n_dot_h, n_dot_v, n_dot_l)));
        }
        return value;
    };
