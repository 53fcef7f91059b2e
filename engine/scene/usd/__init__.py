"""Reading a USD stage; the only package that imports pxr."""
