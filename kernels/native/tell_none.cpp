// Nobody asks what defects cover (kernels/defect.py).

    auto tell = [](I, I, M, F) {};
