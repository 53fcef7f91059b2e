// The nearest hits of rays under way (kernels/path.py). Needs path.cpp, traverse.cpp and, on the CPU, traverse_group.cpp.
// In:  trees, bounce, thread. Out: out_hit.

    const auto& paths = bounce.paths;
    const int end = paths.count.data[0], run = bounce.run;
    for (int i = thread * run; i < (thread + 1) * run && i < end; i += OMM_WIDTH) {
        const Path path = load_path(paths, i);
#if !defined(__CUDA_ARCH__)
        const int asked = end - i < 8 ? (1 << (end - i)) - 1 : OMM_ALL, row = path.row[0];
        if ((bits_of(path.row != row) & asked) == 0) {
            const V3 from = with_twins(path.origin, asked), towards = with_twins(path.direction, asked);
            store_hits(out_hit.data + i, walk_group(trees, row, from, towards, asked, omm::splat(FAR_M), false), asked);
            continue;
        }
#endif
        for (int l = 0; l < OMM_WIDTH && i + l < end; ++l) {
            const float from[3] = {omm::get(path.origin.x, l), omm::get(path.origin.y, l), omm::get(path.origin.z, l)};
            const float towards[3] = {omm::get(path.direction.x, l), omm::get(path.direction.y, l), omm::get(path.direction.z, l)};
            store_hit(out_hit.data[i + l], walk(trees, omm::get_int(path.row, l), from, towards, 0, FAR_M, false));
        }
    }
