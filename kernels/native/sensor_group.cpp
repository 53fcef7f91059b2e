// Groups of neighbours in a row of images [view, y, x] (kernels/sensor.py). Needs lanes.cpp.

    struct Group {
        int view, y, first_x, lanes;  // lanes that lie in the image
        I x;
        size_t at;  // of the first lane, in pixels
    };
    auto group_of = [](const auto& groups, int index) {
        Group g;
        const int row = index / groups.per_row;
        g.view = row / groups.height;
        g.y = row - g.view * groups.height;
        g.first_x = (index - row * groups.per_row) * OMM_WIDTH;
        g.lanes = groups.width - g.first_x < OMM_WIDTH ? groups.width - g.first_x : OMM_WIDTH;
        g.x = omm::lanes() + g.first_x;
        g.at = (size_t)row * groups.width + g.first_x;
        return g;
    };
    // Lanes beyond the row get 0.
    auto load_group = [](const float* image, const Group& g) {
        if (g.lanes == OMM_WIDTH) return omm::load(image + g.at);
        F out = omm::splat(0.0f);
        for (int l = 0; l < g.lanes; ++l) omm::set(out, l, image[g.at + l]);
        return out;
    };
    auto load_group3 = [](const wp::vec3* image, const Group& g) {
        const float* first = (const float*)(image + g.at);
        if (g.lanes == OMM_WIDTH) return omm::load3(first);
        V3 out = omm::vec3(0.0f, 0.0f, 0.0f);
        for (int l = 0; l < g.lanes; ++l) {
            omm::set(out.x, l, first[3 * l]);
            omm::set(out.y, l, first[3 * l + 1]);
            omm::set(out.z, l, first[3 * l + 2]);
        }
        return out;
    };
    auto store_group = [](float* image, const Group& g, F value) {
        if (g.lanes == OMM_WIDTH) omm::store(image + g.at, value);
        else for (int l = 0; l < g.lanes; ++l) image[g.at + l] = omm::get(value, l);
    };
    auto store_group3 = [](wp::vec3* image, const Group& g, V3 value) {
        float* first = (float*)(image + g.at);
        for (int l = 0; l < g.lanes; ++l) {
            first[3 * l] = omm::get(value.x, l);
            first[3 * l + 1] = omm::get(value.y, l);
            first[3 * l + 2] = omm::get(value.z, l);
        }
    };
    auto clamp_index = [](int i, int count) { return i < 0 ? 0 : (i < count ? i : count - 1); };
    auto view_value = [](const auto& views, int view, int column) {
        return *(const float*)((const char*)views.value.data + (size_t)view * views.value.strides[0] + (size_t)column * sizeof(float));
    };
