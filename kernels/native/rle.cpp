// Masks as compressed COCO counts (kernels/masks.py), byte for byte what pycocotools writes.
// Source: pycocotools, common/maskApi.c, rleEncode and rleToString.

#if defined(__CUDA_ARCH__)
#define OMM_INLINE __device__ __forceinline__
#else
#define OMM_INLINE inline __attribute__((always_inline))
#endif

    struct Mask {
        unsigned char* text;  // null: it is only measured
        int length;  // of the text so far
        int first, end, before;  // the run at hand, and where the one before it ended
        int number, last[2];  // counts so far; the latest two

        OMM_INLINE void add(int count) {
            int rest = number > 2 ? count - last[number & 1] : count;
            last[number & 1] = count;
            ++number;
            for (bool more = true; more; ++length) {
                const int group = rest & 31;
                rest >>= 5;
                more = (group & 16) ? rest != -1 : rest != 0;
                if (text) text[length] = (unsigned char)(group + (more ? 32 : 0) + 48);
            }
        }
        OMM_INLINE void flush() {
            if (end == first) return;
            add(first - before);
            add(end - first);
            before = end;
        }
        // Pixels `from` to `to` of the mask, read column by column, after all that came before.
        OMM_INLINE void run(int from, int to) {
            if (from != end || end == first) {
                flush();
                first = from;
            }
            end = to;
        }
        OMM_INLINE void close(int size) {
            flush();
            if (before < size) add(size - before);
        }
    };
    auto mask_into = [](unsigned char* text) { return Mask{text, 0, 0, 0, 0, 0, {0, 0}}; };
