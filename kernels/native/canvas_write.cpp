// A row's bitmap as text (kernels/canvas.py). Needs canvas_text.cpp. In: value, row, first_byte. Out: out_text.

    const int* v = value.data + 9 * (size_t)row;
    compress(row, Box{v[2], v[3], v[4], v[5]}, out_text.data + first_byte.data[row]);
