// Shapes of defects that are patches (kernels/defect.py). Needs defect.cpp.
