// The nearest hits of rays under way (kernels/path.py). Needs path.cpp and traverse.cpp.
// One ray at a time: rays that bounced share too little of their way for a group.
// In:  trees, bounce, thread. Out: out_hit.

    const auto& paths = bounce.paths;
    const int end = paths.count.data[0], run = bounce.run;
    for (int i = thread * run; i < (thread + 1) * run && i < end; i += OMM_WIDTH) {
        const Path path = load_path(paths, i);
        for (int l = 0; l < OMM_WIDTH && i + l < end; ++l) {
            const float from[3] = {omm::get(path.origin.x, l), omm::get(path.origin.y, l), omm::get(path.origin.z, l)};
            const float towards[3] = {omm::get(path.direction.x, l), omm::get(path.direction.y, l), omm::get(path.direction.z, l)};
            store_hit(out_hit.data[i + l], walk(trees, omm::get_int(path.row, l), from, towards, 0, FAR_M, false));
        }
    }
