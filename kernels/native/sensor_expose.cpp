// A run of groups behind a mosaic of filters (kernels/sensor_expose.py). Needs sensor_read.cpp.
// In: views, sensor, groups, inputs, thread. Out: out_raw.

    for (int i = thread * groups.run; i < (thread + 1) * groups.run && i < groups.count; ++i) {
        const Group g = group_of(groups, groups.first + i);
        const Reading reading = reading_of(views, g.view);
        const V3 here = light_at(views, groups, inputs.light, inputs.glare, g);
        // Red at one site of the 2 x 2 block, blue diagonally from it.
        const I site = (g.x & 1) + ((g.y & 1) << 1);
        const M is_red = site == sensor.red_site, is_blue = site == (3 - sensor.red_site);
        const F green = raw_channel(sensor, here, 1);
        const F seen = omm::select(is_red, raw_channel(sensor, here, 0), omm::select(is_blue, raw_channel(sensor, here, 2), green));
        const I pixel = g.x + g.y * groups.width;
        const F share = read_out(views, sensor, g, seen * reading.exposure, pixel, 0);
        const F gain = omm::select(is_red, omm::splat(reading.gain[0]), omm::select(is_blue, omm::splat(reading.gain[2]), omm::splat(reading.gain[1])));
        store_group(out_raw.data, g, omm::min(share * gain, omm::splat(1.0f)));
    }
