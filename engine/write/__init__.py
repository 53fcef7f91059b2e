"""Writers: frames and labels to files, and the protocol that commits them."""
