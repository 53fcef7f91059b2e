// No batch without defects pays for them (kernels/pattern.py).

    auto mark = [](const Met&, F, Point&) {};
