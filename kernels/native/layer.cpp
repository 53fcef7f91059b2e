// Layers that lie on a surface, and what a finish makes of a point (kernels/pattern.py). Needs pattern.cpp. A layer returns
// the share of the point that it covers.

    const float HALO_COVER = 0.4f;  // that the halo of rust counts as, which is as much as it takes away of a colour

    // What a share of a surface of another finish makes of a material.
    auto cover = [&](Bsdf& bsdf, V3 color, F metallic, F roughness, F share) {
        const F rest = 1.0f - metallic;
        bsdf.diffuse = mix3(bsdf.diffuse, omm::scale(color, rest), share);
        bsdf.f0 = mix3(bsdf.f0, omm::add(omm::same(rest * REFLECTANCE), omm::scale(color, metallic)), share);
        bsdf.f90 = mix3(bsdf.f90, omm::add(omm::same(rest), omm::scale(color, metallic)), share);
        bsdf.alpha = mix(bsdf.alpha, omm::max(roughness * roughness, omm::splat(MIN_ALPHA)), share);
        bsdf.coat = bsdf.coat * (1.0f - share);
        bsdf.gloss = mix3(bsdf.gloss, {metallic, omm::splat(REFLECTANCE), omm::splat(1.0f)}, share);
    };
    auto own_color = [&](const Bsdf& bsdf) {
        const F most = omm::max(omm::max(bsdf.f0.x, bsdf.f0.y), bsdf.f0.z);
        return omm::add(bsdf.diffuse, omm::select3(most > 0.15f, bsdf.f0, omm::vec3(0.0f, 0.0f, 0.0f)));
    };
    auto pattern_of = [&](const F* r, const Bsdf& bsdf) {
        const V3 own = own_color(bsdf);
        Pattern q;
        q.scale_m = r[1];
        q.strength = r[2];
        q.bump_m = r[3];
        q.a = omm::select3(r[4] < 0.0f, own, {r[4], r[5], r[6]});
        q.b = omm::select3(r[7] < 0.0f, own, {r[7], r[8], r[9]});
        q.smooth = r[10];
        q.rough = r[11];
        q.rust = r[12];
        q.stain = r[13];
        q.dust = r[14];
        q.wear = r[15];
        q.direction = {r[16], r[17], r[18]};
        q.layer_scale_m = r[19];
        q.wear_width_m = r[20];
        return q;
    };
    // A mask where a layer is asked for, and nothing elsewhere.
    auto only = [&](M asked, const Wave& mask) {
        const F none = omm::splat(0.0f);
        return Wave{omm::select(asked, mask.v, none), omm::select3(asked, mask.d, {none, none, none}), omm::select(asked, mask.hidden, none), omm::select(asked, mask.rough, none)};
    };
    // Sharp edges lose their paint down to colour b of painted metal; metals are polished, other materials are scuffed.
    auto wear_layer = [&](const Place& at, const Pattern& q, M is_painted, Bsdf& bsdf, Wave& height) {
        const Wave chips = fbm_of(at, q.wear_width_m * 1.2f, 11, 5);
        const F threshold = threshold_of(q.wear) - 0.7f + 2.2f * omm::min(at.edge_m / q.wear_width_m, omm::splat(4.0f));
        const F softness = omm::select(is_painted, omm::splat(0.04f), omm::splat(0.35f));
        const Wave worn = only(q.wear > 0.0f, above(chips, threshold, softness));
        const F share = worn.v;
        const F most = omm::max(omm::max(bsdf.f0.x, bsdf.f0.y), bsdf.f0.z);
        const F is_metal = omm::select(is_painted | (most > 0.15f), omm::splat(1.0f), omm::splat(0.0f));
        const V3 own = own_color(bsdf);
        const V3 scuffed = mix3(toned(own, omm::splat(1.25f)), omm::same((own.x + own.y + own.z) * 0.45f), omm::splat(0.5f));
        const V3 bare = omm::select3(is_painted, toned(q.b, 1.0f + 0.08f * chips.v), omm::select3(is_metal > 0.5f, toned(own, omm::splat(1.1f)), scuffed));
        const F roughness = omm::select(is_metal > 0.5f, 0.32f + 0.05f * chips.v, omm::sqrt(bsdf.alpha) * 0.5f + 0.45f);
        cover(bsdf, bare, is_metal, omm::clamp(roughness, 0.05f, 1.0f), omm::select(is_painted, share, share * 0.75f));
        height = product(height, complement(worn));
        return share;
    };
    auto rust_layer = [&](const Place& at, const Pattern& q, F bare, Bsdf& bsdf, Wave& height) {
        const Wave blotch = fbm_of(at, q.layer_scale_m, 12, 6), grain = fbm_of(at, q.layer_scale_m * 0.05f, 13, 4), scale = fbm_of(at, q.layer_scale_m * 0.25f, 14, 4);
        const M is_any = q.rust > 0.0f;
        const F near_edge = unit_share(1.0f - at.edge_m / (3.0f * q.wear_width_m));
        const F threshold = threshold_of(q.rust) - 0.6f * near_edge - 0.8f * bare;
        const Wave crusty = sum(times(blotch, omm::splat(0.95f)), times(grain, omm::splat(0.3f)));
        const Wave crust = only(is_any, above(crusty, threshold, omm::splat(0.07f)));
        const F share = crust.v;
        const F halo = omm::select(is_any, above(crusty, threshold - 0.45f, omm::splat(0.28f)).v, omm::splat(0.0f));
        const F rim = unit_share((halo - share) / omm::max(1.0f - share, omm::splat(0.05f)));  // of what no crust covers
        const V3 stained = omm::vec3(0.85f, 0.58f, 0.36f);
        bsdf.diffuse = mix3(bsdf.diffuse, omm::mul(bsdf.diffuse, stained), rim);
        bsdf.f0 = mix3(bsdf.f0, omm::mul(bsdf.f0, stained), rim);
        bsdf.alpha = mix(bsdf.alpha, omm::max(bsdf.alpha, omm::splat(0.3f)), rim);
        const F deep = mix(unit_share(crusty.v - threshold - 0.2f), omm::splat(0.35f), unit_share(crusty.hidden));
        const F age = unit_share(0.5f + 0.28f * scale.v + 0.16f * grain.v - 0.25f * deep);
        V3 color = mix3(omm::vec3(0.048f, 0.020f, 0.013f), omm::vec3(0.20f, 0.073f, 0.026f), age);
        color = mix3(color, omm::vec3(0.42f, 0.19f, 0.07f), above(sum(times(scale, omm::splat(0.8f)), times(grain, omm::splat(0.6f))), omm::splat(1.1f), omm::splat(0.25f)).v * 0.7f);
        cover(bsdf, color, omm::splat(0.0f), 0.88f + 0.05f * grain.v, share);
        const Wave relief = sum(times(grain, q.layer_scale_m * 0.0016f), times(scale, q.layer_scale_m * 0.004f));
        height = sum(product(height, complement(crust)), sum(product(relief, crust), times(crust, q.layer_scale_m * 0.003f)));
        return mix(rim * HALO_COVER, omm::splat(1.0f), share);
    };
    // Dried spills with a dark rim, and runs along the world's down.
    auto stain_layer = [&](const Place& at, const Pattern& q, Bsdf& bsdf) {
        const Wave spill = fbm_of(at, q.layer_scale_m * 1.5f, 15, 5), runs = streaks_of(at, at.up, 12.0f, q.layer_scale_m * 0.35f, 16, 3);
        const F upright = unit_share(1.3f - 1.5f * omm::abs(at.facing)), none = omm::splat(0.0f);
        const M is_any = q.stain > 0.0f;
        const F t = threshold_of(q.stain);
        const F wet = above(spill, t, omm::splat(0.12f)).v, inside = above(spill, t + 0.22f, omm::splat(0.15f)).v;
        const F run = above(runs, t + 0.35f, omm::splat(0.4f)).v * upright;
        const F share = omm::select(is_any, unit_share(0.55f * wet + 0.4f * (wet - inside) + 0.55f * run), none);
        const V3 soaked = omm::vec3(0.38f, 0.31f, 0.24f);
        bsdf.diffuse = mix3(bsdf.diffuse, omm::mul(bsdf.diffuse, soaked), share);
        bsdf.f0 = mix3(bsdf.f0, omm::mul(bsdf.f0, omm::vec3(0.7f, 0.66f, 0.6f)), share);
        bsdf.alpha = mix(bsdf.alpha, mix(bsdf.alpha, omm::splat(0.22f), omm::splat(0.5f)), share);
        return share;
    };
    // Dust settles on what looks up, thicker in patches.
    auto dust_layer = [&](const Place& at, const Pattern& q, Bsdf& bsdf, Wave& height) {
        const Wave patch = fbm_of(at, q.layer_scale_m * 2.0f, 17, 5), grain = fbm_of(at, omm::splat(1.5e-3f), 18, 3);
        const F facing = unit_share(at.facing * 1.15f);
        const F share = unit_share(q.dust * facing * (0.85f + 0.28f * patch.v + 0.12f * grain.v) + 0.12f * q.dust * (0.5f + 0.3f * patch.v));
        cover(bsdf, toned(omm::vec3(0.36f, 0.32f, 0.26f), 1.0f + 0.08f * grain.v), omm::splat(0.0f), omm::splat(1.0f), share);
        height = times(height, 1.0f - 0.85f * share);
        return share;
    };
