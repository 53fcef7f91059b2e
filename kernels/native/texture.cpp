// Looking up image textures (kernels/texture.py): trilinear in the footprint, one lane after the other. Needs lanes.cpp.

    // The texel that a coordinate outside the image shows; -1: black.
    auto wrap_texel = [&](int i, int size, int mode) {
        if (i >= 0 && i < size) return i;
        if (mode == WRAP_CLAMP) return i < 0 ? 0 : size - 1;
        if (mode != WRAP_REPEAT && mode != WRAP_MIRROR) return -1;
        const int period = mode == WRAP_MIRROR ? 2 * size : size;
        int j = i % period;
        if (j < 0) j += period;
        return j < size ? j : 2 * size - 1 - j;
    };
    // Level of detail for a footprint, given how many texels lie along a unit of texture coordinates.
    auto level_of = [&](F footprint, F texels, F levels) {
        const F level = omm::log2(omm::max(footprint * texels, omm::splat(1.0e-6f)));
        return omm::min(omm::max(level, omm::splat(0.0f)), levels - 1.0f);
    };
    auto bilinear = [&](const auto& textures, int texture, int level, float u, float v) {
        const auto size = textures.size_px.data[texture];
        const auto wrap = textures.wrap.data[texture];
        const int width = size[0] >> level > 1 ? size[0] >> level : 1, height = size[1] >> level > 1 ? size[1] >> level : 1;
        const float x = u * width - 0.5f, y = v * height - 0.5f;
        int x0 = (int)x, y0 = (int)y;  // towards 0, then down
        if ((float)x0 > x) --x0;
        if ((float)y0 > y) --y0;
        const float across = x - (float)x0, up = y - (float)y0;
        const int i[2] = {wrap_texel(x0, width, wrap[0]), wrap_texel(x0 + 1, width, wrap[0])};
        const int j[2] = {wrap_texel(y0, height, wrap[1]), wrap_texel(y0 + 1, height, wrap[1])};
        const size_t first = (size_t)textures.first_texel.data[texture * textures.first_texel.shape[1] + level];
        wp::vec4 sum(0.0f, 0.0f, 0.0f, 0.0f);
        for (int k = 0; k < 4; ++k) {
            const int column = i[k & 1], row = j[k >> 1];
            if (column < 0 || row < 0) continue;
            const auto* texel = textures.texel.data + 4 * (first + (size_t)row * width + column);
            const float weight = (k & 1 ? across : 1.0f - across) * (k >> 1 ? up : 1.0f - up);
            for (int c = 0; c < 4; ++c) sum[c] += weight * (float)texel[c];
        }
        return sum;
    };
    // The value at (u, v) between two levels.
    auto trilinear = [&](const auto& textures, int texture, float u, float v, float level) {
        const int finer = (int)level;
        const float part = level - (float)finer;
        wp::vec4 value = bilinear(textures, texture, finer, u, v);
        if (part > 0.0f) value = value * (1.0f - part) + bilinear(textures, texture, finer + 1, u, v) * part;
        return value * (textures.scale.data[texture] * (1.0f / 65535.0f));
    };
