// One ray (kernels/trace.py, kernels/opacity.py). In: trees, row, origin, direction, after, t_max, only_any. Out:
// (t, placement, triangle, weights), integers as bits; t below 0: nothing. Needs traverse.cpp.

    const float from[3] = {origin[0], origin[1], origin[2]}, towards[3] = {direction[0], direction[1], direction[2]};
#if !defined(OMM_AFTER)
    const int after = 0;
#endif
    const Found found = walk(trees, row, from, towards, after, t_max, only_any != 0);
    union Bits { int i; unsigned int u; float f; };
    Bits placement, triangle, weights;
    placement.i = found.placement;
    triangle.i = found.triangle;
    weights.u = found.weights;
    return wp::vec4(found.placement >= 0 ? found.t : -1.0f, placement.f, triangle.f, weights.f);
