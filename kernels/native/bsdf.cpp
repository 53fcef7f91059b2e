// Lambert and GGX lobes under Fresnel's law, with a clear coat (kernels/material.py). Needs point.cpp.
// Source: Walter et al., "Microfacet models for refraction through rough surfaces", EGSR 2007; Heitz, JCGT 3(2), 2014
// (height-correlated Smith).

    const float PI = 3.14159265358979324f;

    // How far reflectance has gone from that of normal incidence to that of a grazing angle (Schlick 1994).
    auto schlick_weight = [&](F cos_half) {
        const F m = omm::clamp(1.0f - cos_half, 0.0f, 1.0f), m2 = m * m;
        return m2 * m2 * m;
    };
    auto fresnel_schlick = [&](const Bsdf& bsdf, F cos_half) {
        return omm::add(bsdf.f0, omm::scale(omm::sub(bsdf.f90, bsdf.f0), schlick_weight(cos_half)));
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
        const F v_dot_h = omm::clamp(omm::dot(to_viewer, half), 0.0f, 1.0f);
        const V3 fresnel = fresnel_schlick(bsdf, v_dot_h);
        const V3 gloss = omm::scale(fresnel, specular * ggx(bsdf.alpha, n_dot_h, n_dot_v, n_dot_l));
        const V3 kept = omm::scale(omm::sub(omm::vec3(1.0f, 1.0f, 1.0f), fresnel), omm::splat(diffuse / PI));
        V3 value = omm::add(omm::mul(bsdf.diffuse, kept), gloss);
        if (omm::any(bsdf.coat > 0.0f)) {
            const F coat = bsdf.coat * (bsdf.coat_f0 + (1.0f - bsdf.coat_f0) * schlick_weight(v_dot_h));
            const F alpha = omm::select(bsdf.coat > 0.0f, bsdf.coat_alpha, omm::splat(1.0f));
            const F lobe = coat * specular * ggx(alpha, n_dot_h, n_dot_v, n_dot_l);
            value = omm::add(omm::scale(value, 1.0f - coat), omm::same(lobe));
        }
        return value;
    };
    // Share of a uniform surround that the GGX lobe sends to the viewer. Source: Karis, "Physically based shading on
    // mobile", 2014 (polynomial fit of the split-sum table).
    auto reflectance_of_dome = [&](const Bsdf& bsdf, F n_dot_v) {
        const F roughness = omm::sqrt(bsdf.alpha), x = 1.0f - roughness;
        const F y = -0.0275f * roughness + 0.0425f, z = -0.572f * roughness + 1.04f, w = 0.022f * roughness - 0.04f;
        const F a = omm::min(x * x, omm::exp2(-9.28f * n_dot_v)) * x + y;
        return omm::add(omm::scale(bsdf.f0, z - 1.04f * a), omm::scale(bsdf.f90, 1.04f * a + w));
    };
    auto mean_of = [&](V3 color) { return (color.x + color.y + color.z) * (1.0f / 3.0f); };
