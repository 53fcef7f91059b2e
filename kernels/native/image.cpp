// The image of a light, and what domes and the sky send (kernels/light.py). Needs camera.cpp, texture.cpp and sky.cpp.

    const int NO_TEXTURE = -1;
    const float TURN = 6.28318530717958648f;
    const float DOME_FOOTPRINT = 1.0f / 1024.0f;  // of a dome's image that a sample of light blurs over: less than the sun's disk

    // The factor that a light's image puts on its radiance; 1 for other lanes than `wanted`.
    auto image_radiance = [&](const auto& lights, int light, V2 uv, F footprint, M wanted) {
        const V3 one = omm::vec3(1.0f, 1.0f, 1.0f);
        if (!omm::any(wanted)) return one;
        const Picture picture = picture_of(lights.textures, omm::splat_int(lights.texture.data[light]));
        const F texels = omm::sqrt(omm::to_float(picture.width) * omm::to_float(picture.height));
        const F level = level_of(footprint, texels, omm::to_float(picture.levels));
        const Texel texel = trilinear(lights.textures, picture, uv.x, uv.y, level);
        return omm::select3(wanted, {texel.c[0], texel.c[1], texel.c[2]}, one);
    };
    // The pose of a light in every lane's row, 12 floats.
    auto pose_of = [&](const auto& lights, const Rows& rows, int light, F* pose) {
        for (int k = 0; k < 12; ++k) pose[k] = of_row(lights.world_from_light, rows, light, k);
    };
    // A direction of the world in an orthonormal frame.
    auto into_frame = [&](const F* m, V3 d) {
        return V3{m[0] * d.x + m[4] * d.y + m[8] * d.z, m[1] * d.x + m[5] * d.y + m[9] * d.z, m[2] * d.x + m[6] * d.y + m[10] * d.z};
    };
    // Where a dome's image is seen in a direction. Its pole is +Z, the image's centre -Y, u falls towards +X.
    auto dome_uv = [&](const F* pose, V3 direction) {
        const V3 local = into_frame(pose, direction);
        return V2{0.5f - omm::atan2(local.x, -local.y) * (1.0f / TURN), 0.5f + omm::asin(local.z) * (2.0f / TURN)};
    };
    // What rays see that meet nothing, in a unit direction: the domes.
    auto background = [&](const auto& lights, const Rows& rows, V3 direction, F footprint, M wanted) {
        V3 sum = omm::vec3(0.0f, 0.0f, 0.0f);
        for (int light = 0; light < lights.count; ++light) {
            if (lights.kind.data[light] != DOME && lights.kind.data[light] != SKY) continue;
            V3 radiance = vec3_of_row(lights.radiance, rows, light);
            if (lights.kind.data[light] == SKY) {
                F pose[12];
                pose_of(lights, rows, light, pose);
                radiance = omm::mul(radiance, sky_radiance(lights, rows, into_frame(pose, direction)));
            }
            if (lights.texture.data[light] != NO_TEXTURE) {
                F pose[12];
                pose_of(lights, rows, light, pose);
                radiance = omm::mul(radiance, image_radiance(lights, light, dome_uv(pose, direction), footprint, wanted));
            }
            sum = omm::add(sum, radiance);
        }
        return sum;
    };
