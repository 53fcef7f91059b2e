// The same tree as top.cpp's, by a block of threads: its warps take the nodes of a level in turn, the threads of a warp
// the placements of a node. CUDA only; the CPU takes top.cpp. Boxes are joined by minima and maxima alone, whose order
// does not matter, so that every split is the one of the single thread; only the numbers of nodes depend on who came first.
// In:  job, row, and thread of the block. Out: as top.cpp.

#if defined(__CUDA_ARCH__)
    const int BINS = 12, WARPS = OMM_TOP_THREADS / 32, PLANES = 3 * (BINS - 1);
    const float INF = 3.0e38f;
    const unsigned int ALL = 0xffffffffu;
    const int lanes = job.lanes, count_all = job.placement_count, lane = thread & 31, warp = thread >> 5;
    const wp::vec3* low = (const wp::vec3*)job.low_m.data + (size_t)row * count_all;
    const wp::vec3* high = (const wp::vec3*)job.high_m.data + (size_t)row * count_all;
    int* order = job.order.data + (size_t)row * count_all;
    int* spare = job.spare.data + (size_t)row * count_all;
    float* nodes = job.node.data + (size_t)(job.first_row + row) * job.row_floats;

    struct Part { int first, last; float box[6]; };
    struct Todo { int node, first, last, used; };
    struct Bin { int box[6], held; };
    __shared__ Bin bins[WARPS][3 * BINS];
    __shared__ int node_count, need, level_count[2], item_count;
    Todo* todo = (Todo*)(job.todo.data + (size_t)row * job.todo.shape[1]);
    const int level_room = (int)(job.todo.shape[1] / 8);  // two levels of four integers an entry

    // Floats as integers of the same order, which shared memory can join atomically.
    auto ordered = [](float x) { const int i = __float_as_int(x); return i >= 0 ? i : i ^ 0x7fffffff; };
    auto plain = [](int i) { return __int_as_float(i >= 0 ? i : i ^ 0x7fffffff); };
    auto least_of = [&](float x) {
        for (int step = 16; step; step >>= 1) x = fminf(x, __shfl_xor_sync(ALL, x, step));
        return x;
    };
    auto most_of = [&](float x) {
        for (int step = 16; step; step >>= 1) x = fmaxf(x, __shfl_xor_sync(ALL, x, step));
        return x;
    };
    auto area = [](const float* box) {
        const float x = box[3] - box[0], y = box[4] - box[1], z = box[5] - box[2];
        return x * y + y * z + z * x;
    };
    auto center = [&](int p, int a) { return low[p][a] + high[p][a]; };  // twice the centre
    auto measure = [&](Part& part) {
        float box[6] = {INF, INF, INF, -INF, -INF, -INF};
        for (int i = part.first + lane; i < part.last; i += 32)
            for (int a = 0; a < 3; ++a) {
                box[a] = fminf(box[a], low[order[i]][a]);
                box[a + 3] = fmaxf(box[a + 3], high[order[i]][a]);
            }
        for (int a = 0; a < 3; ++a) {
            part.box[a] = least_of(box[a]);
            part.box[a + 3] = most_of(box[a + 3]);
        }
    };
    // Put what belongs to the first half first, in the order it had; return where the second half begins.
    auto divide = [&](int first, int last, auto is_first) {
        int to = first, rest = 0;
        for (int base = first; base < last; base += 32) {
            const int i = base + lane;
            const bool is_in = i < last;
            const int p = is_in ? order[i] : 0;
            const bool goes = is_in && is_first(p);
            const unsigned int kept = __ballot_sync(ALL, goes), moved = __ballot_sync(ALL, is_in && !goes);
            const unsigned int before = (1u << lane) - 1u;
            if (goes) order[to + __popc(kept & before)] = p;
            else if (is_in) spare[first + rest + __popc(moved & before)] = p;
            to += __popc(kept);
            rest += __popc(moved);
            __syncwarp();
        }
        for (int i = lane; i < rest; i += 32) order[to + i] = spare[first + i];
        __syncwarp();
        return to;
    };
    // The placement of a rank by centre along an axis, ties by number: each thread counts for some of them.
    auto ranked = [&](int first, int last, int rank, int axis) {
        int found = -1;
        for (int i = first + lane; i < last; i += 32) {
            const int p = order[i];
            const float c = center(p, axis);
            int before = 0;
            for (int j = first; j < last; ++j) {
                const float other = center(order[j], axis);
                before += other < c || (other == c && order[j] < p);
            }
            if (before == rank) found = p;
        }
        for (int step = 16; step; step >>= 1) found = max(found, __shfl_xor_sync(ALL, found, step));
        return found;
    };
    auto split_by_area = [&](const Part& part, const float* least, const float* most) {
        Bin* bin = bins[warp];
        const int all = part.last - part.first;
        float scale[3];
        for (int a = 0; a < 3; ++a) scale[a] = (float)BINS * 0.9999f / (most[a] - least[a]);
        for (int b = lane; b < 3 * BINS; b += 32) {
            for (int a = 0; a < 3; ++a) {
                bin[b].box[a] = ordered(INF);
                bin[b].box[a + 3] = ordered(-INF);
            }
            bin[b].held = 0;
        }
        __syncwarp();
        for (int i = part.first + lane; i < part.last; i += 32) {
            const int p = order[i];
            for (int axis = 0; axis < 3; ++axis) {
                if (!(most[axis] - least[axis] > 0.0f)) continue;
                Bin& into = bin[axis * BINS + (int)((center(p, axis) - least[axis]) * scale[axis])];
                for (int a = 0; a < 3; ++a) {
                    atomicMin(&into.box[a], ordered(low[p][a]));
                    atomicMax(&into.box[a + 3], ordered(high[p][a]));
                }
                atomicAdd(&into.held, 1);
            }
        }
        __syncwarp();
        float best = INF;
        int best_plane = PLANES;
        for (int plane = lane; plane < PLANES; plane += 32) {
            const int axis = plane / (BINS - 1), b = plane % (BINS - 1) + 1;
            if (!(most[axis] - least[axis] > 0.0f)) continue;
            float side[2][6];
            int held[2] = {0, 0};
            for (int s = 0; s < 2; ++s)
                for (int a = 0; a < 3; ++a) { side[s][a] = INF; side[s][a + 3] = -INF; }
            for (int k = 0; k < BINS; ++k) {
                const Bin& of = bin[axis * BINS + k];
                const int s = k >= b;
                for (int a = 0; a < 3; ++a) {
                    side[s][a] = fminf(side[s][a], plain(of.box[a]));
                    side[s][a + 3] = fmaxf(side[s][a + 3], plain(of.box[a + 3]));
                }
                held[s] += of.held;
            }
            if (held[0] == 0 || held[1] == 0 || held[0] == 2 || held[1] == 2) continue;
            const float cost = area(side[0]) * (float)held[0] + area(side[1]) * (float)held[1];
            if (cost < best) { best = cost; best_plane = plane; }
        }
        for (int step = 16; step; step >>= 1) {
            const float cost = __shfl_xor_sync(ALL, best, step);
            const int plane = __shfl_xor_sync(ALL, best_plane, step);
            if (cost < best || (cost == best && plane < best_plane)) { best = cost; best_plane = plane; }
        }
        __syncwarp();
        if (best_plane == PLANES) return 0;
        const int axis = best_plane / (BINS - 1), b = best_plane % (BINS - 1) + 1;
        return divide(part.first, part.last, [&](int p) { return (int)((center(p, axis) - least[axis]) * scale[axis]) < b; });
    };
    auto split = [&](const Part& part, bool halve) {
        const int all = part.last - part.first;
        float least[3] = {INF, INF, INF}, most[3] = {-INF, -INF, -INF};
        for (int i = part.first + lane; i < part.last; i += 32)
            for (int a = 0; a < 3; ++a) {
                const float c = center(order[i], a);
                least[a] = fminf(least[a], c);
                most[a] = fmaxf(most[a], c);
            }
        for (int a = 0; a < 3; ++a) {
            least[a] = least_of(least[a]);
            most[a] = most_of(most[a]);
        }
        int middle = halve ? 0 : split_by_area(part, least, most);
        if (middle > part.first && middle < part.last) return middle;
        const float x = most[0] - least[0], y = most[1] - least[1], z = most[2] - least[2];
        const int axis = x >= y ? (x >= z ? 0 : 2) : (y >= z ? 1 : 2);
        middle = part.first + (all < 6 ? 1 : all / 2);
        const int last_of_first = ranked(part.first, part.last, middle - part.first - 1, axis);
        const float limit = center(last_of_first, axis);
        divide(part.first, part.last, [&](int p) { const float c = center(p, axis); return c < limit || (c == limit && p <= last_of_first); });
        return middle;
    };

    if (warp == 0) {
        int items = 0;
        for (int base = 0; base < count_all; base += 32) {
            const int p = base + lane;
            const bool is_there = p < count_all && low[p][0] <= high[p][0];  // a hidden placement has an empty box
            const unsigned int there = __ballot_sync(ALL, is_there);
            if (is_there) order[items + __popc(there & ((1u << lane) - 1u))] = p;
            items += __popc(there);
        }
        if (lane == 0) {
            item_count = items;
            node_count = 1;
            need = 0;
            level_count[0] = 1;
            level_count[1] = 0;
            todo[0] = {0, 0, items, 0};
        }
    }
    __syncthreads();
    for (int depth = 0; level_count[depth & 1] > 0; ++depth) {
        const Todo* level = todo + (size_t)(depth & 1) * level_room;
        Todo* next = todo + (size_t)(~depth & 1) * level_room;
        const bool halve = depth >= job.sah_depth;
        for (int t = warp; t < level_count[depth & 1]; t += WARPS) {
            const Todo at = level[t];
            Part part[4];
            int count = 0;
            if (at.last > at.first) {
                part[0] = {at.first, at.last, {}};
                measure(part[0]);
                count = 1;
            }
            while (count < lanes) {
                int chosen = -1;
                float size = -1.0f;
                for (int i = 0; i < count; ++i) {
                    const int held = part[i].last - part[i].first;
                    if (held < 2 || (held == 3 && count + 2 > lanes)) continue;
                    const float s = halve ? (float)held : area(part[i].box);
                    if (s > size) { size = s; chosen = i; }
                }
                if (chosen < 0) break;
                const Part opened = part[chosen];
                const int middle = split(opened, halve);
                part[chosen].last = middle;
                measure(part[chosen]);
                part[count] = {middle, opened.last, {}};
                measure(part[count++]);
                if (opened.last - opened.first == 3) {  // its pair, too
                    const int pair = part[chosen].last - part[chosen].first == 2 ? chosen : count - 1;
                    const int second = part[pair].first + 1;
                    part[count] = {second, part[pair].last, {}};
                    part[pair].last = second;
                    measure(part[pair]);
                    measure(part[count++]);
                }
            }
            if (lane == 0) {
                atomicMax(&need, at.used + count);
                float* n = nodes + (size_t)at.node * 8 * lanes;
                int* code = (int*)(n + 6 * lanes);
                for (int i = 0; i < lanes; ++i) {
                    for (int a = 0; a < 3; ++a) {
                        n[a * lanes + i] = i < count ? part[i].box[a] : INF;
                        n[(a + 3) * lanes + i] = i < count ? part[i].box[a + 3] : -INF;
                    }
                    code[i] = 0;
                    if (i >= count) continue;
                    if (part[i].last - part[i].first == 1) {
                        code[i] = ~order[part[i].first];
                        continue;
                    }
                    code[i] = atomicAdd(&node_count, 1);
                    next[atomicAdd(&level_count[~depth & 1], 1)] = {code[i], part[i].first, part[i].last, at.used + count - 1};
                }
            }
            __syncwarp();
        }
        __syncthreads();
        if (thread == 0) level_count[depth & 1] = 0;
        __syncthreads();
    }
    if (thread == 0) out_need.data[job.first_row + row] = need;
#endif
