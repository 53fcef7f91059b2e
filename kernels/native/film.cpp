// A run of pixels from radiance to colours (kernels/film.py). Needs camera.cpp and srgb.cpp.
// In:  views, span, sample_count, table, radiance, thread. Out: the images of out_color.

    const int end = span.first + span.count;
    const bool wants_rgb = out_color.rgb.shape[0] > 0;
    const bool wants_linear = out_color.linear.shape[0] > 0;
    for (int i = thread * span.run; i < (thread + 1) * span.run && i < span.count; i += OMM_WIDTH) {
        const Pixels pixels = pixels_of(views, span.first + i, end);
        const V3 mean = omm::scale(omm::load3((const float*)(radiance.data + i)), omm::splat(1.0f / (float)sample_count));
        const V3 exposed = omm::scale(mean, of_view(views.exposure, 0, pixels));
        const I codes[3] = {encode_srgb(exposed.x), encode_srgb(exposed.y), encode_srgb(exposed.z)};
        for (int l = 0; l < OMM_WIDTH && span.first + i + l < end; ++l) {
            const size_t at = image_index(views, pixels, l);
            for (int c = 0; c < 3 && wants_rgb; ++c) out_color.rgb.data[3 * at + c] = (unsigned char)omm::get_int(codes[c], l);
            if (wants_linear) out_color.linear.data[at] = wp::vec3(omm::get(mean.x, l), omm::get(mean.y, l), omm::get(mean.z, l));
        }
    }
