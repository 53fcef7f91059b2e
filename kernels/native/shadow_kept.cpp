// How much light arrives at pixels, for the annotator `shadow` (kernels/annotate_shadow.py). Out: out_light.

    auto keep_light = [&](int i, int end, F expected, F arrived) {
        for (int l = 0; l < OMM_WIDTH && i + l < end; ++l) out_light.data[i + l] = wp::vec2(omm::get(expected, l), omm::get(arrived, l));
    };
