// Nobody asks how much light arrives (kernels/shadow.py).

    auto keep_light = [](int, int, F, F) {};
