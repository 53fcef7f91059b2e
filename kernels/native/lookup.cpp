// One lookup (kernels/texture.py). In: textures, texture, uv, footprint. Out: the texel. Needs texture.cpp.

    const auto size = textures.size_px.data[texture];
    const F texels = omm::sqrt(omm::splat((float)size[0] * (float)size[1]));
    const F level = level_of(omm::splat(footprint), texels, omm::splat((float)textures.level_count.data[texture]));
    return trilinear(textures, texture, uv[0], uv[1], omm::get(level, 0));
