// One lookup (kernels/texture.py). In: textures, texture, uv, footprint. Out: the texel. Needs texture.cpp.

    const Picture picture = picture_of(textures, omm::splat_int(texture));
    const F texels = omm::sqrt(omm::to_float(picture.width) * omm::to_float(picture.height));
    const F level = level_of(omm::splat(footprint), texels, omm::to_float(picture.levels));
    const Texel texel = trilinear(textures, picture, omm::splat(uv[0]), omm::splat(uv[1]), level);
    return wp::vec4(omm::get(texel.c[0], 0), omm::get(texel.c[1], 0), omm::get(texel.c[2], 0), omm::get(texel.c[3], 0));
