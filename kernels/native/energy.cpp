// How the layers of a material share the light that falls on them (kernels/energy.py). Needs point.cpp.
// A layer takes its directional albedo away from what lies below; the GGX lobe gets back what bounces more than once
// between its facets. So a material without absorption returns all light. Source: Turquin, "Practical multiple scattering
// compensation for microfacet models", 2019; Kulla and Conty, "Revisiting physically based shading at Imageworks", 2017.

    struct Albedo { F all, grazing; };  // of the GGX lobe: without Fresnel's factor, and with (1 - v.h)^5 in its place
    // Bilinear in the square root of the cosine and in roughness, the square root of alpha.
    auto lobe_albedo = [&](const auto& energy, F alpha, F cosine) {
        const float last = (float)(ENERGY_SIZE - 1);
        const F x = omm::sqrt(omm::clamp(cosine, 0.0f, 1.0f)) * last, y = omm::sqrt(omm::clamp(alpha, 0.0f, 1.0f)) * last;
        const F left = omm::min(omm::floor(x), omm::splat(last - 1.0f)), below = omm::min(omm::floor(y), omm::splat(last - 1.0f));
        const F across = x - left, up = y - below;
        const I cell = omm::to_int(below) * (ENERGY_SIZE - 1) + omm::to_int(left);
        const float* record[OMM_WIDTH];
        for (int l = 0; l < OMM_WIDTH; ++l) record[l] = energy.albedo.data + 8 * omm::get_int(cell, l);
        F c[8];
        omm::records(record, c);
        const F bend = across * up;
        return Albedo{c[0] + c[1] * across + c[2] * up + c[3] * bend, c[4] + c[5] * across + c[6] * up + c[7] * bend};
    };
    struct Layers {  // of a material, below its coat: a share of metal, the rest a diffuse body under a dielectric
        V3 body, f0;  // albedo of the body; reflectance of the dielectric at normal incidence,
        F f90;  // and at a grazing angle
        V3 metal;  // reflectance
        F share;  // of metal
    };
    // The lobes of a material as its viewer sees them; its coat has been filled in.
    auto share_energy = [&](const auto& energy, Bsdf& b, const Layers& layers, F n_dot_v) {
        const V3 one = omm::vec3(1.0f, 1.0f, 1.0f);
        const Albedo base = lobe_albedo(energy, b.alpha, n_dot_v);
        const F lost = energy.compensates ? (1.0f - base.all) / base.all : omm::splat(0.0f);
        const F rest = 1.0f - layers.share;
        // What the lobe of a Fresnel factor becomes when later bounces are added, which it colours again.
        const V3 more = omm::add(one, omm::scale(layers.f0, lost));
        const V3 metal = omm::mul(omm::scale(layers.metal, layers.share), omm::add(one, omm::scale(layers.metal, lost)));
        const V3 f0 = omm::mul(layers.f0, more), f90 = omm::scale(more, layers.f90);
        const V3 taken = omm::add(omm::scale(f0, base.all - base.grazing), omm::scale(f90, base.grazing));
        b.diffuse = omm::scale(omm::mul(layers.body, omm::sub(one, taken)), rest);
        b.f0 = omm::add(metal, omm::scale(f0, rest));
        b.f90 = omm::add(metal, omm::scale(f90, rest));
        b.gloss = omm::add(omm::scale(metal, base.all), omm::scale(taken, rest));
        if (!omm::any(b.coat > 0.0f)) return;
        const Albedo coat = lobe_albedo(energy, b.coat_alpha, n_dot_v);
        const F kept = b.coat * (b.coat_f0 * (coat.all - coat.grazing) + coat.grazing), left = 1.0f - kept;
        b.f0 = omm::scale(b.f0, left);
        b.f90 = omm::scale(b.f90, left);
        b.diffuse = omm::scale(b.diffuse, left);
        b.gloss = omm::add(omm::scale(b.gloss, left), omm::same(kept));
    };
    // A material that patterns will cover: its lobes as linear mixtures of metal and the rest, and in `gloss` the share of
    // metal and the reflectances of the rest.
    auto keep_layers = [&](Bsdf& b, const Layers& layers) {
        const F rest = 1.0f - layers.share;
        b.diffuse = omm::scale(layers.body, rest);
        b.f0 = omm::add(omm::scale(layers.f0, rest), omm::scale(layers.metal, layers.share));
        b.f90 = omm::add(omm::same(layers.f90 * rest), omm::scale(layers.metal, layers.share));
        b.gloss = {layers.share, mean_of(layers.f0), layers.f90};
    };
    auto kept_layers = [&](const Bsdf& b) {
        Layers out;
        out.share = b.gloss.x;
        out.f90 = b.gloss.z;
        const F rest = 1.0f - out.share, least = omm::splat(1.0e-3f);
        const M has_metal = out.share > least;
        out.body = omm::scale(b.diffuse, 1.0f / omm::max(rest, least));
        out.f0 = omm::select3(has_metal, omm::same(b.gloss.y), b.f0);
        const V3 metal = omm::scale(omm::sub(b.f0, omm::same(rest * b.gloss.y)), 1.0f / omm::max(out.share, least));
        const V3 none = omm::vec3(0.0f, 0.0f, 0.0f);
        out.metal = omm::select3(has_metal, {omm::max(metal.x, none.x), omm::max(metal.y, none.y), omm::max(metal.z, none.z)}, none);
        return out;
    };
