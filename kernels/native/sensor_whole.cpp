// A run of groups whose pixels see all three channels, from light to colours (kernels/sensor_expose.py). Needs
// sensor_read.cpp and sensor_tone.cpp. In: views, sensor, groups, table, inputs, thread. Out: out_color.rgb.

    for (int i = thread * groups.run; i < (thread + 1) * groups.run && i < groups.count; ++i) {
        const Group g = group_of(groups, groups.first + i);
        const Reading reading = reading_of(views, g.view);
        const V3 here = light_at(views, groups, inputs.light, inputs.glare, g);
        const I pixel = g.x + g.y * groups.width;
        F raw[3];
        for (int c = 0; c < 3; ++c) {
            const F signal = raw_channel(sensor, here, c) * reading.exposure;
            raw[c] = omm::min(read_out(views, sensor, g, signal, pixel, c) * reading.gain[c], omm::splat(1.0f));
        }
        finish_group(views, sensor, table, g, {raw[0], raw[1], raw[2]}, out_color.rgb.data);
    }
