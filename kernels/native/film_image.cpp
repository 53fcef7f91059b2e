// A run of pixels from images of radiance to colours (kernels/film.py). Needs camera.cpp and srgb.cpp.
// In:  views, span, table, light, thread. Out: the images of out_color.

    const int end = span.first + span.count;
    const bool wants_rgb = out_color.rgb.shape[0] > 0, wants_linear = out_color.linear.shape[0] > 0;
    for (int i = thread * span.run; i < (thread + 1) * span.run && i < span.count; i += OMM_WIDTH) {
        const Pixels pixels = pixels_of(views, span.first + i, end);
        V3 color = omm::vec3(0.0f, 0.0f, 0.0f);
        for (int l = 0; l < OMM_WIDTH; ++l) {
            const wp::vec3 value = light.data[image_index(views, pixels, l)];
            omm::set(color.x, l, value[0]);
            omm::set(color.y, l, value[1]);
            omm::set(color.z, l, value[2]);
        }
        const V3 exposed = omm::scale(color, of_view(views.exposure, 0, pixels));
        const I codes[3] = {encode_srgb(exposed.x), encode_srgb(exposed.y), encode_srgb(exposed.z)};
        for (int l = 0; l < OMM_WIDTH && span.first + i + l < end; ++l) {
            const size_t at = image_index(views, pixels, l);
            for (int c = 0; c < 3 && wants_rgb; ++c) out_color.rgb.data[3 * at + c] = (unsigned char)omm::get_int(codes[c], l);
            if (wants_linear) out_color.linear.data[at] = wp::vec3(omm::get(color.x, l), omm::get(color.y, l), omm::get(color.z, l));
        }
    }
