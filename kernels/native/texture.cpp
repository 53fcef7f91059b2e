// Looking up image textures (kernels/texture.py): trilinear in the footprint, a texture a lane. Needs lanes.cpp.

    struct Texel { F c[4]; };
    struct Picture {  // one texture a lane
        I index, width, height, wrap_u, wrap_v, levels;  // texels at level 0
        F scale;  // on a texel's numbers
        M is_half;  // whether these are 16-bit floats
        bool same, any_half;  // in all lanes; in one of them
    };
    auto picture_of = [&](const auto& textures, I index) {
        Picture out;
        out.index = index;
        const bool same = out.same = omm::is_same(index);
        out.width = omm::pick_int((const int*)textures.size_px.data, index * 2, same);
        out.height = omm::pick_int((const int*)textures.size_px.data, index * 2 + 1, same);
        out.wrap_u = omm::pick_int((const int*)textures.wrap.data, index * 2, same);
        out.wrap_v = omm::pick_int((const int*)textures.wrap.data, index * 2 + 1, same);
        out.levels = omm::pick_int(textures.level_count.data, index, same);
        const F scale = omm::pick(textures.scale.data, index, same);
        out.is_half = scale < 0.0f;
        out.any_half = omm::any(out.is_half);
        out.scale = out.any_half ? omm::select(out.is_half, -scale, scale * (1.0f / 65535.0f)) : scale * (1.0f / 65535.0f);
        return out;
    };
    auto least_int = [&](I a, I b) { return omm::select_int(a < b, a, b); };
    auto most_int = [&](I a, I b) { return omm::select_int(a > b, a, b); };
    // The texel that a coordinate outside the image shows; -1: black.
    auto wrap_texel = [&](I i, I size, I mode) {
        if (omm::all((i >= 0) & (i < size))) return i;
        const I held = most_int(least_int(i, size - 1), omm::splat_int(0));
        const I period = omm::select_int(mode == WRAP_MIRROR, size * 2, size);
        I j = i;
        for (int turn = 0; turn < 2; ++turn)  // the first quotient of a very large coordinate is rounded
            j = j - omm::to_int(omm::floor(omm::to_float(j) / omm::to_float(period))) * period;
        j = omm::select_int(j < size, j, size * 2 - 1 - j);
        j = most_int(least_int(j, size - 1), omm::splat_int(0));
        const M turns = (mode == WRAP_REPEAT) | (mode == WRAP_MIRROR);
        const M shows = (i == held) | turns | (mode == WRAP_CLAMP);
        return omm::select_int(shows, omm::select_int(turns, j, held), omm::splat_int(-1));
    };
    // Four 16-bit channels of a texel a lane.
    auto fetch = [&](const auto& textures, I at, F* out) {
        const unsigned short* texels = (const unsigned short*)textures.texel.data;
#if defined(__CUDA_ARCH__)
        const ushort4 t = *(const ushort4*)(texels + 4 * (size_t)at);
        out[0] = (float)t.x;
        out[1] = (float)t.y;
        out[2] = (float)t.z;
        out[3] = (float)t.w;
#else
        typedef unsigned long long Q __attribute__((vector_size(64)));
        Q q = {};
        for (int l = 0; l < OMM_WIDTH; ++l) q[l] = *(const unsigned long long*)(texels + 4 * (size_t)at[l]);
        const U low = __builtin_convertvector(q, U), high = __builtin_convertvector(q >> 32, U);
        out[0] = omm::to_float((I)(low & 0xffffu));
        out[1] = omm::to_float((I)(low >> 16));
        out[2] = omm::to_float((I)(high & 0xffffu));
        out[3] = omm::to_float((I)(high >> 16));
#endif
    };
    // The value of a positive 16-bit float whose bits are this whole number: its exponent counts from 112 less.
    auto half_value = [&](F bits) { return omm::from_bits(omm::to_int(bits) << 13) * 5.192296858534828e33f; };
    // Level of detail for a footprint, given how many texels lie along a unit of texture coordinates.
    auto level_of = [&](F footprint, F texels, F levels) {
        const F level = omm::log2(omm::max(footprint * texels, omm::splat(1.0e-6f)));
        return omm::min(omm::max(level, omm::splat(0.0f)), levels - 1.0f);
    };
    // Adds the value at (u, v) of a level, times a weight.
    auto add_bilinear = [&](const auto& textures, const Picture& p, I level, F u, F v, F weight, Texel& sum) {
        const I width = most_int(p.width >> level, omm::splat_int(1)), height = most_int(p.height >> level, omm::splat_int(1));
        const F x = u * omm::to_float(width) - 0.5f, y = v * omm::to_float(height) - 0.5f;
        const F left = omm::floor(x), below = omm::floor(y);
        const F across = x - left, up = y - below;
        const I x0 = omm::to_int(left), y0 = omm::to_int(below);
        const I i[2] = {wrap_texel(x0, width, p.wrap_u), wrap_texel(x0 + 1, width, p.wrap_u)};
        const I j[2] = {wrap_texel(y0, height, p.wrap_v), wrap_texel(y0 + 1, height, p.wrap_v)};
        const I entry = (p.index * (int)textures.first_texel.shape[1] + level) * 2;
        const I first = omm::pick_int((const int*)textures.first_texel.data, entry, p.same && omm::is_same(level));
        for (int k = 0; k < 4; ++k) {
            const I column = i[k & 1], row = j[k >> 1];
            const M shows = (column >= 0) & (row >= 0);
            const F part = weight * ((k & 1 ? across : 1.0f - across) * (k >> 1 ? up : 1.0f - up));
            const F share = omm::select(shows, part, omm::splat(0.0f));
            F c[4];
            fetch(textures, omm::select_int(shows, first + row * width + column, omm::splat_int(0)), c);
            if (p.any_half)
                for (int channel = 0; channel < 4; ++channel) c[channel] = omm::select(p.is_half, half_value(c[channel]), c[channel]);
            for (int channel = 0; channel < 4; ++channel) sum.c[channel] = sum.c[channel] + share * c[channel];
        }
    };
    // The value at (u, v) between two levels.
    auto trilinear = [&](const auto& textures, const Picture& p, F u, F v, F level) {
        const I finer = omm::to_int(level);
        const F part = level - omm::to_float(finer);
        Texel out;
        for (int c = 0; c < 4; ++c) out.c[c] = omm::splat(0.0f);
        add_bilinear(textures, p, finer, u, v, p.scale * (1.0f - part), out);
        if (omm::any(part > 0.0f)) add_bilinear(textures, p, least_int(finer + 1, p.levels - 1), u, v, p.scale * part, out);
        return out;
    };
