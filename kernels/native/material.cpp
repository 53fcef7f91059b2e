// Materials at points of surfaces (kernels/material.py). Needs surface.cpp, texture.cpp, point.cpp and energy.cpp.
// Record of a material in a row, 24 floats, integers as bits: base colour, roughness, metallic, emission, specular colour
// (negative: the metallic workflow), reflectance at normal incidence, coat, coat roughness, whether displayColor counts,
// the rows of its texture inputs in the order of MaterialInput (-1: none). Record of an instance in a row, 4: tint, and
// the material that overrides its triangles' own (-1: none).

    const int INPUTS = 15;  // where they begin in a record

    struct Look {  // how a surface is looked at
        V2 uv[2];
        F footprint[2];  // width of the pixel in either set of texture coordinates
    };

    // What texture inputs deliver: `scale * texel + bias` at `uv_from_st * (s, t, 1)`; 1 for lanes without one.
    auto lookup_inputs = [&](const auto& inputs, const auto& textures, I index, const Look& look) {
        const M has_one = index >= 0;
        const I k = omm::select_int(has_one, index, omm::splat_int(0));
        const bool same = omm::is_same(k);
        const M is_second = omm::pick_int(inputs.uv_set.data, k, same) != 0;
        const F s = omm::select(is_second, look.uv[1].x, look.uv[0].x), t = omm::select(is_second, look.uv[1].y, look.uv[0].y);
        F to_u[3], to_v[3];
        for (int a = 0; a < 3; ++a) {
            to_u[a] = omm::pick((const float*)inputs.u_from_st.data, k * 3 + a, same);
            to_v[a] = omm::pick((const float*)inputs.v_from_st.data, k * 3 + a, same);
        }
        const Picture picture = picture_of(textures, omm::pick_int(inputs.texture.data, k, same));
        const F stretch = omm::abs(to_u[0] * to_v[1] - to_u[1] * to_v[0]) * omm::to_float(picture.width) * omm::to_float(picture.height);
        const F footprint = omm::select(is_second, look.footprint[1], look.footprint[0]);
        const F level = level_of(footprint, omm::sqrt(stretch), omm::to_float(picture.levels));
        Texel out = trilinear(textures, picture, to_u[0] * s + to_u[1] * t + to_u[2], to_v[0] * s + to_v[1] * t + to_v[2], level);
        for (int c = 0; c < 4; ++c) {
            const F scale = omm::pick((const float*)inputs.scale.data, k * 4 + c, same), bias = omm::pick((const float*)inputs.bias.data, k * 4 + c, same);
            out.c[c] = omm::select(has_one, out.c[c] * scale + bias, omm::splat(1.0f));
        }
        return out;
    };
    auto input_row = [&](const auto& materials, const F* r, I active, int name) {
        const I none = omm::splat_int(-1);
        if (!(materials.used_inputs >> name & 1)) return none;  // by no material of the scene
        return omm::select_int(active != 0, omm::bits(r[INPUTS + name]), none);
    };
    // A constant times the texture that drives it, if any.
    auto color_input = [&](const auto& materials, const F* r, I active, int name, V3 constant, const Look& look) {
        const I index = input_row(materials, r, active, name);
        if (!omm::any(index >= 0)) return constant;
        const Texel t = lookup_inputs(materials.inputs, materials.textures, index, look);
        return omm::mul(constant, {t.c[0], t.c[1], t.c[2]});
    };
    auto scalar_input = [&](const auto& materials, const F* r, I active, int name, F constant, const Look& look) {
        const I index = input_row(materials, r, active, name);
        if (!omm::any(index >= 0)) return constant;
        const Texel t = lookup_inputs(materials.inputs, materials.textures, index, look);
        F value = omm::splat(1.0f);
        for (int l = 0; l < OMM_WIDTH; ++l)
            if (omm::get_int(index, l) >= 0) omm::set(value, l, omm::get(t.c[materials.inputs.channel.data[omm::get_int(index, l)]], l));
        return constant * value;
    };
    // The shading normal after the normal map. The tangent frame follows the coordinates at which the map is looked up,
    // also where they are mirrored. From the back a bump is a dent: the frame turns with the normal.
    auto mapped_normal = [&](const auto& geometry, const auto& materials, I index, const Look& look, const Met& met, const Triangle& tri, V3 n, V3 face, F side) {
        F m[12], u1 = omm::splat(0.0f), u2 = u1, v1 = u1, v2 = u1;
        matrix_of(geometry.world_from_mesh, met, m);
        const V3 edge_1 = transform_vector(m, tri.edge_1), edge_2 = transform_vector(m, tri.edge_2);
        for (int l = 0; l < OMM_WIDTH; ++l) {
            const int k = omm::get_int(index, l);
            if (k < 0) continue;
            const int set = materials.inputs.uv_set.data[k] != 0;
            const auto to_u = materials.inputs.u_from_st.data[k], to_v = materials.inputs.v_from_st.data[k];
            const float s1 = omm::get(tri.along_1[set].x, l), t1 = omm::get(tri.along_1[set].y, l);
            const float s2 = omm::get(tri.along_2[set].x, l), t2 = omm::get(tri.along_2[set].y, l);
            omm::set(u1, l, to_u[0] * s1 + to_u[1] * t1);
            omm::set(u2, l, to_u[0] * s2 + to_u[1] * t2);
            omm::set(v1, l, to_v[0] * s1 + to_v[1] * t1);
            omm::set(v2, l, to_v[0] * s2 + to_v[1] * t2);
        }
        const F det = u1 * v2 - v1 * u2;
        const Texel value = lookup_inputs(materials.inputs, materials.textures, index, look);
        const F turned = omm::select(det < 0.0f, -side, side);
        const V3 along_u = omm::scale(omm::sub(omm::scale(edge_1, v2), omm::scale(edge_2, v1)), turned);
        const V3 along_v = omm::scale(omm::sub(omm::scale(edge_2, u1), omm::scale(edge_1, u2)), turned);
        const V3 t = omm::unit(omm::sub(along_u, omm::scale(n, omm::dot(n, along_u))));
        const V3 across = omm::sub(along_v, omm::scale(n, omm::dot(n, along_v)));
        const V3 b = omm::unit(omm::sub(across, omm::scale(t, omm::dot(t, along_v))));
        const F up = omm::max(value.c[2], omm::splat(0.05f));
        const V3 mapped = omm::unit(omm::add(omm::add(omm::scale(t, value.c[0]), omm::scale(b, value.c[1])), omm::scale(n, up)));
        const M valid = (index >= 0) & (det != 0.0f) & (omm::dot(mapped, face) > 0.0f);
        return omm::select3(valid, mapped, n);
    };
    // A material at a point, but for its normal and for how its layers share energy. Source: UsdPreviewSurface specification,
    // https://openusd.org/release/spec_usdpreviewsurface.html
    auto bsdf_at = [&](const auto& materials, const F* r, I active, V3 tint, V3 display, const Look& look, Layers& layers) {
        const F zero = omm::splat(0.0f), one = omm::splat(1.0f);
        V3 color = color_input(materials, r, active, BASE_COLOR, {r[0], r[1], r[2]}, look);
        color = omm::mul(omm::select3(omm::bits(r[14]) != 0, omm::mul(color, display), color), tint);
        const F roughness = omm::clamp(scalar_input(materials, r, active, ROUGHNESS, r[3], look), 0.0f, 1.0f);
        const F metallic = omm::clamp(scalar_input(materials, r, active, METALLIC, r[4], look), 0.0f, 1.0f);
        const F reflectance = r[11];
        const F grazing = omm::min(reflectance * FULL_GRAZING, one);  // an ior of 1 reflects nothing at any angle
        layers = Layers{color, omm::same(reflectance), grazing, color, metallic};
        Bsdf out;
        const M has_specular_color = r[8] >= 0.0f;
        if (omm::any(has_specular_color)) {
            const V3 specular = color_input(materials, r, active, SPECULAR_COLOR, {r[8], r[9], r[10]}, look);
            layers.f0 = omm::select3(has_specular_color, specular, layers.f0);
            layers.f90 = omm::select(has_specular_color, one, grazing);
            layers.share = omm::select(has_specular_color, zero, metallic);
        }
        out.alpha = omm::max(roughness * roughness, omm::splat(MIN_ALPHA));
        out.coat = scalar_input(materials, r, active, CLEARCOAT, r[12], look);
        out.coat_f0 = out.coat_alpha = zero;
        const M coated = out.coat > 0.0f;
        if (omm::any(coated)) {
            const F coat_roughness = scalar_input(materials, r, active, CLEARCOAT_ROUGHNESS, r[13], look);
            out.coat_f0 = omm::select(coated, reflectance, zero);
            out.coat_alpha = omm::select(coated, omm::max(coat_roughness * coat_roughness, omm::splat(MIN_ALPHA)), zero);
        }
        out.emission = color_input(materials, r, active, EMISSION, {r[5], r[6], r[7]}, look);
        return out;
    };
