// Body of a Warp native function: a binary tree of Warp over triangles, collapsed into wide nodes (see traverse.cpp).
// In:  collapse (kernels/bvh.py).
// Out: nodes, blocks and, in collapse.out[0..2], how many of each and the stack entries a traversal may need.
// The child with the largest surface is opened first, until the node is full.

    const wp::BVH& b = *(const wp::BVH*)(collapse.tree);
    const float INF = 3.0e38f;
    const int lanes = collapse.lanes;
    float* nodes = collapse.node.data;
    float* blocks = collapse.block.data;
    int* todo = collapse.stack.data;
    int todo_count = 0, node_count = 1, block_count = 0, need = 0;
    auto area = [&](int n) {
        const float x = b.node_uppers[n].x - b.node_lowers[n].x, y = b.node_uppers[n].y - b.node_lowers[n].y,
                    z = b.node_uppers[n].z - b.node_lowers[n].z;
        return x * y + y * z + z * x;
    };
    todo[todo_count++] = *b.root;
    todo[todo_count++] = 0;
    todo[todo_count++] = 0;
    while (todo_count > 0) {
        const int used = todo[--todo_count], wide = todo[--todo_count], binary = todo[--todo_count];
        int child[8];
        int count = 0;
        if (b.node_lowers[binary].b) {
            child[count++] = binary;
        } else {
            child[count++] = b.node_lowers[binary].i;
            child[count++] = b.node_uppers[binary].i;
        }
        while (count < lanes) {
            int largest = -1;
            float size = -1.0f;
            for (int i = 0; i < count; ++i)
                if (!b.node_lowers[child[i]].b && area(child[i]) > size) {
                    size = area(child[i]);
                    largest = i;
                }
            if (largest < 0) break;
            const int opened = child[largest];
            child[largest] = b.node_lowers[opened].i;
            child[count++] = b.node_uppers[opened].i;
        }
        if (used + count > need) need = used + count;
        float* n = nodes + (size_t)wide * 8 * lanes;
        int* code = (int*)(n + 6 * lanes);
        for (int i = 0; i < lanes; ++i) {
            if (i >= count) {
                for (int a = 0; a < 3; ++a) {
                    n[a * lanes + i] = INF;
                    n[(a + 3) * lanes + i] = -INF;
                }
                code[i] = 0;
                continue;
            }
            const wp::BVHPackedNodeHalf low = b.node_lowers[child[i]], high = b.node_uppers[child[i]];
            const float side[6] = {low.x, low.y, low.z, high.x, high.y, high.z};
            for (int a = 0; a < 6; ++a) n[a * lanes + i] = side[a];
            if (!low.b) {
                code[i] = node_count;
                todo[todo_count++] = child[i];
                todo[todo_count++] = node_count++;
                todo[todo_count++] = used + count - 1;
                continue;
            }
            const int first = low.i, last = high.i;
            const int wanted = (last - first + 3) / 4;
            code[i] = ~(block_count << 3 | (wanted - 1));
            for (int k = 0; k < 4 * wanted; ++k) {
                float* t = blocks + (size_t)40 * (block_count + k / 4) + k % 4;
                const int item = first + k < last ? b.primitive_indices[first + k] : -1;
                for (int c = 0; c < 3; ++c)
                    for (int a = 0; a < 3; ++a) t[12 * c + 4 * a] = item < 0 ? 0.0f : collapse.corner.data[3 * item + c][a];
                ((int*)t)[36] = item;
            }
            block_count += wanted;
        }
    }
    collapse.out.data[0] = node_count;
    collapse.out.data[1] = block_count;
    collapse.out.data[2] = need;
