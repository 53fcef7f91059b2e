// Body of a Warp native function: the wide nodes over the placements of one row (layout: traverse.cpp).
// In:  job (kernels/top.py), row of the launch. Out: the row's nodes; in out_need the stack entries that a traversal of them may need.
//
// Top down: of the parts of a node the one with the largest surface is split, until there are as many as lanes. Splits
// are those of the binned surface-area heuristic (Wald, "On fast construction of SAH-based bounding volume
// hierarchies", RT 2007); from a depth on the fullest part is halved instead, which bounds the depth. A part of two is
// never left over, so that the lowest nodes hold three placements or more: that bounds the number of nodes.

    const int BINS = 12, STACK = 256;
    const float INF = 3.0e38f;
    const int lanes = job.lanes, count_all = job.placement_count;
    const wp::vec3* low = (const wp::vec3*)job.low_m.data + (size_t)row * count_all;
    const wp::vec3* high = (const wp::vec3*)job.high_m.data + (size_t)row * count_all;
    int* order = job.order.data + (size_t)row * count_all;
    float* nodes = job.node.data + (size_t)(job.first_row + row) * job.row_floats;

    struct Part { int first, last; float box[6]; };
    struct Todo { int node, first, last, depth, used; };
    Todo todo[STACK];

    auto grow = [&](float* box, int p) {
        for (int a = 0; a < 3; ++a) {
            if (low[p][a] < box[a]) box[a] = low[p][a];
            if (high[p][a] > box[a + 3]) box[a + 3] = high[p][a];
        }
    };
    auto clear = [&](float* box) { for (int a = 0; a < 3; ++a) { box[a] = INF; box[a + 3] = -INF; } };
    auto area = [](const float* box) {
        const float x = box[3] - box[0], y = box[4] - box[1], z = box[5] - box[2];
        return x * y + y * z + z * x;
    };
    auto center = [&](int p, int a) { return low[p][a] + high[p][a]; };  // twice the centre
    auto measure = [&](Part& part) {
        clear(part.box);
        for (int i = part.first; i < part.last; ++i) grow(part.box, order[i]);
    };
    // Put the `middle - first` placements with the least centres along an axis first; ties by number.
    auto select = [&](int first, int last, int middle, int axis) {
        auto before = [&](int p, int q) {
            const float a = center(p, axis), b = center(q, axis);
            return a < b || (a == b && p < q);
        };
        while (last - first > 1) {
            const int pivot = order[first + (last - first) / 2];
            int i = first, j = last - 1;
            while (i <= j) {
                while (before(order[i], pivot)) ++i;
                while (before(pivot, order[j])) --j;
                if (i <= j) { const int swap = order[i]; order[i] = order[j]; order[j] = swap; ++i; --j; }
            }
            if (middle <= j) last = j + 1;
            else if (middle >= i) first = i;
            else break;
        }
    };
    // Split at the cheapest of the planes between bins; return where the second half begins, 0: no plane is allowed.
    auto split_by_area = [&](const Part& part, const float* least, const float* most) {
        float best = INF;
        int best_axis = -1, best_plane = 0;
        for (int axis = 0; axis < 3; ++axis) {
            const float size = most[axis] - least[axis];
            if (!(size > 0.0f)) continue;
            const float scale = (float)BINS * 0.9999f / size;
            float box[BINS][6];
            int held[BINS];
            for (int b = 0; b < BINS; ++b) { clear(box[b]); held[b] = 0; }
            for (int i = part.first; i < part.last; ++i) {
                const int b = (int)((center(order[i], axis) - least[axis]) * scale);
                grow(box[b], order[i]);
                ++held[b];
            }
            float after[BINS];
            float whole[6];
            clear(whole);
            for (int b = BINS - 1, n = 0; b > 0; --b) {
                for (int a = 0; a < 3; ++a) {
                    if (box[b][a] < whole[a]) whole[a] = box[b][a];
                    if (box[b][a + 3] > whole[a + 3]) whole[a + 3] = box[b][a + 3];
                }
                n += held[b];
                after[b] = n > 0 ? area(whole) * (float)n : 0.0f;
            }
            clear(whole);
            const int all = part.last - part.first;
            for (int b = 1, n = 0; b < BINS; ++b) {
                for (int a = 0; a < 3; ++a) {
                    if (box[b - 1][a] < whole[a]) whole[a] = box[b - 1][a];
                    if (box[b - 1][a + 3] > whole[a + 3]) whole[a + 3] = box[b - 1][a + 3];
                }
                n += held[b - 1];
                const int rest = all - n;
                if (n == 0 || rest == 0 || n == 2 || rest == 2) continue;
                const float cost = area(whole) * (float)n + after[b];
                if (cost < best) { best = cost; best_axis = axis; best_plane = b; }
            }
        }
        if (best_axis < 0) return 0;
        const float scale = (float)BINS * 0.9999f / (most[best_axis] - least[best_axis]);
        int i = part.first, j = part.last - 1;
        while (i <= j) {
            const int b = (int)((center(order[i], best_axis) - least[best_axis]) * scale);
            if (b < best_plane) { ++i; continue; }
            const int swap = order[i]; order[i] = order[j]; order[j] = swap; --j;
        }
        return i;
    };
    auto split = [&](const Part& part, bool halve) {
        const int all = part.last - part.first;
        float least[3] = {INF, INF, INF}, most[3] = {-INF, -INF, -INF};
        for (int i = part.first; i < part.last; ++i)
            for (int a = 0; a < 3; ++a) {
                const float c = center(order[i], a);
                if (c < least[a]) least[a] = c;
                if (c > most[a]) most[a] = c;
            }
        int middle = halve ? 0 : split_by_area(part, least, most);
        if (middle > part.first && middle < part.last) return middle;
        const float x = most[0] - least[0], y = most[1] - least[1], z = most[2] - least[2];
        const int axis = x >= y ? (x >= z ? 0 : 2) : (y >= z ? 1 : 2);
        middle = part.first + (all < 6 ? 1 : all / 2);
        select(part.first, part.last, middle, axis);
        return middle;
    };

    int item_count = 0;
    for (int p = 0; p < count_all; ++p)
        if (low[p][0] <= high[p][0]) order[item_count++] = p;  // a hidden placement has an empty box
    int todo_count = 0, node_count = 1, need = 0;
    todo[todo_count++] = {0, 0, item_count, 0, 0};
    while (todo_count > 0) {
        const Todo at = todo[--todo_count];
        const bool halve = at.depth >= job.sah_depth;
        Part part[8];
        int count = 0;
        if (at.last > at.first) {
            part[count] = {at.first, at.last, {}};
            measure(part[count++]);
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
        if (at.used + count > need) need = at.used + count;
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
            code[i] = node_count;
            todo[todo_count++] = {node_count++, part[i].first, part[i].last, at.depth + 1, at.used + count - 1};
        }
    }
    out_need.data[job.first_row + row] = need;
